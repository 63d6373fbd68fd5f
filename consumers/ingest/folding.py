"""Folds records while decoding them: keeps the latest event of each job, and the latest name of each user."""

from collections.abc import Iterable
from typing import Any

from aiokafka import TopicPartition

from consumers.dead_letters.letter import DeadLetter, dead_letter
from consumers.ingest.records import are_judged, decode_record
from service.events.decoding import InvalidRecordError, decode_next
from service.events.event import JobEvent, is_newer
from service.store.write.batch import Fold, ProjectBatch


class RecordFold:
    """Folds the records of a batch into batches of projects, and into dead letters."""

    def __init__(self) -> None:
        self.dead_letters: list[DeadLetter] = []
        self._fold = Fold()
        # the latest event so far of each record key; it joins the fold at the end, or as soon as decode_next cannot
        # decode the next record of that key
        self._latest: dict[bytes, JobEvent] = {}

    def add(self, tp: TopicPartition, records: Iterable[Any]) -> None:
        """Decodes and folds records of a partition; a record that is no event becomes a dead letter."""
        latest = self._latest
        for record in records:
            headers = record.headers
            if headers and are_judged(headers):
                self._add_other(tp, record)
                continue
            key = record.key
            known = latest.get(key)
            if known is not None and record.value is not None:
                event = decode_next(record.value, known)
                if event is not None:
                    if is_newer(event, known):
                        latest[key] = event
                        event, known = known, event
                    if event.event_time_ms > known.event_time_ms:
                        self._fold.add([event])  # it does not count as the latest event, but may name the user
                    continue
            self._add_other(tp, record)

    def stripes(self) -> dict[int, list[ProjectBatch]]:
        """Ends the fold, and returns the batches of projects by stripe."""
        self._fold.add(self._latest.values())
        self._latest.clear()
        return self._fold.stripes()

    def _add_other(self, tp: TopicPartition, record: Any) -> None:
        try:
            event = decode_record(record)
        except InvalidRecordError as error:
            self.dead_letters.append(dead_letter(tp, record, error.reason, error.detail))
            return
        if isinstance(event, JobEvent) and record.key is not None and record.key not in self._latest:
            self._latest[record.key] = event
        else:
            self._fold.add([event])
