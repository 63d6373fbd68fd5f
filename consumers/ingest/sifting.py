"""Which records of a batch the store refuses, found by halving; all others are applied on the way."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import TopicPartition

from consumers.dead_letters.letter import DeadLetter, dead_letter
from consumers.dead_letters.replay import was_sent_back
from consumers.ingest.mending import MARKED, STORE_IS_WRONG, Mender
from service.events.decoding import MAX_DETAIL_CHARS, InvalidRecordError, decode
from service.events.event import JobDeletion, JobEvent
from service.store.errors import RefusedError
from service.store.layout.keys import stripe_of
from service.store.write.batch import fold
from service.store.write.writer import StoreWriter, StripeBatch

_REMEDY = "; run `python -m consumers verify --repair`, then `python -m consumers replay-dead-letters%s`"

KeptRecord = tuple[TopicPartition, Any]


@dataclass(frozen=True, slots=True)
class _Event:
    record: KeptRecord
    event: JobEvent | JobDeletion


async def sift(
    writer: StoreWriter,
    partitions: int,
    batch: StripeBatch,
    records: Sequence[KeptRecord],
    mender: Mender | None = None,
) -> list[DeadLetter]:
    """Applies those of the records that are the stripe's, all but the refused ones, which it returns as dead letters.

    The stripe's offsets stay where they are. A write that ended in part meanwhile, whoever's it was, makes no letters:
    the mender, if there is one, mends its project. Raises what StoreWriter.apply raises, but for RefusedError, and what
    the mender raises.
    """
    # what the stripe is past already was applied, or is a dead letter already
    at = {step.partition: step.expected_offset for step in batch.steps}
    fresh = [(tp, record) for tp, record in records if record.offset >= at[tp.partition]]
    events = [each for each in map(_decoded, fresh) if each and stripe_of(each.event.project_id) == batch.stripe]
    letters: list[DeadLetter] = []
    hopeless: set[str] = set()  # projects that the mender could not help

    async def apply(some: Sequence[_Event]) -> None:
        projects = fold(each.event for each in some).get(batch.stripe, [])
        try:
            await writer.apply(partitions, [batch.held(projects)])
        except RefusedError as error:
            if mender and error.problem.startswith(MARKED) and error.project_id not in hopeless:
                await mender.mend(error)
                hopeless.add(error.project_id)
            if len(some) == 1:
                letters.append(_refused(some[0].record, error))
                return
            middle = len(some) // 2
            await apply(some[:middle])
            await apply(some[middle:])

    await apply(events)
    return letters


def _decoded(record: KeptRecord) -> _Event | None:
    try:
        return _Event(record, decode(record[1].key, record[1].value))
    except InvalidRecordError:
        return None  # it is a dead letter already


def _refused(record: KeptRecord, error: RefusedError) -> DeadLetter:
    again = " --again" if was_sent_back(record[1].headers) else ""  # unasked it would not be sent a second time
    remedy = _REMEDY % again if error.problem.startswith(STORE_IS_WRONG) else ""
    return dead_letter(*record, "refused", error.problem[: MAX_DETAIL_CHARS - len(remedy)] + remedy)
