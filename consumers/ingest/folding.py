"""Folds records while decoding them: keeps the latest event of each job, and the latest name of each user."""

from collections.abc import Iterable
from typing import Any

from aiokafka import TopicPartition

from consumers.dead_letters.letter import DeadLetter, dead_letter
from consumers.ingest.records import are_judged, decode_record
from service.events.decoding import InvalidRecordError, decode_fast, decode_next
from service.events.event import is_newer
from service.store.write.batch import Fold, ProjectBatch


class RecordFold:
    """Folds the records of a batch into batches of projects, and into dead letters."""

    def __init__(self) -> None:
        self.dead_letters: list[DeadLetter] = []
        self._fold = Fold()

    def add(self, tp: TopicPartition, records: Iterable[Any]) -> None:
        """Decodes and folds records of a partition; a record that is no event becomes a dead letter."""
        latest = self._fold.latest
        for record in records:
            headers, key, value = record.headers, record.key, record.value
            if value is None or (headers and are_judged(headers)):
                self._add_other(tp, record)
                continue
            known = latest.get(key)
            event = decode_fast(key, value) if known is None else decode_next(value, known)
            if event is None:
                self._add_other(tp, record)
            elif key is None:
                self._fold.add(event)
            elif known is None:
                latest[key] = event
            elif is_newer(event, known):
                latest[key] = event
                if known.event_time_ms > event.event_time_ms:
                    self._fold.others.append(known)
            elif event.event_time_ms > known.event_time_ms:
                self._fold.others.append(event)

    def stripes(self) -> dict[int, list[ProjectBatch]]:
        """Ends the fold, and returns the batches of projects by stripe."""
        return self._fold.stripes()

    def _add_other(self, tp: TopicPartition, record: Any) -> None:
        try:
            event = decode_record(record)
        except InvalidRecordError as error:
            self.dead_letters.append(dead_letter(tp, record, error.reason, error.detail))
        else:
            self._fold.add(event)
