"""Finds the records of a batch that the store refuses, by halving; applies all others on the way."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from aiokafka import TopicPartition

from consumers.dead_letters.letter import DeadLetter, dead_letter
from consumers.dead_letters.replay import was_sent_back
from consumers.ingest.batch import Portion
from consumers.ingest.mending import STORE_IS_WRONG
from consumers.ingest.records import decode_record
from service.events.decoding import MAX_DETAIL_CHARS, InvalidRecordError
from service.events.event import JobDeletion, JobEvent
from service.store.errors import RefusedError
from service.store.layout.keys import stripe_of
from service.store.write.batch import fold
from service.store.write.writer import StoreWriter, StripeBatch

_REMEDY = "; run `python -m consumers verify --repair`, then `python -m consumers replay-dead-letters%s`"

_Event = tuple[JobEvent | JobDeletion, TopicPartition, Any]
"""An event, its partition, and the record that it was decoded from."""

Mend = Callable[[RefusedError], Awaitable[None]]
"""Returns if only the event can be blamed for a refusal; else raises an error that ends the batch."""


async def sift(
    writer: StoreWriter, partitions: int, batch: StripeBatch, portions: Iterable[Portion], mend: Mend
) -> list[DeadLetter]:
    """Applies the events of one stripe, except the refused ones, which it returns as dead letters.

    The Applier calls it with the records of a batch that the store has refused. The stripe's offsets stay where they
    are. Awaits each call of the store, and `mend` for the first refusal of each kind in a project. Raises what
    StoreWriter.try_apply and `mend` raise.
    """
    letters: list[DeadLetter] = []
    asked: set[tuple[str, str]] = set()

    async def apply(some: Sequence[_Event]) -> None:
        projects = fold(event for event, _, _ in some).get(batch.stripe, [])
        refusal = (await writer.try_apply(partitions, [batch.held(projects)])).refused.get(batch.stripe)
        if refusal is None:
            return
        kind = refusal.project_id, refusal.problem.partition(" ")[0]
        if kind not in asked:
            await mend(refusal)
            asked.add(kind)
        if len(some) == 1:
            letters.append(_refused(*some[0][1:], refusal))
            return
        middle = len(some) // 2
        await apply(some[:middle])
        await apply(some[middle:])

    expected = {step.partition: step.expected_offset for step in batch.steps}
    for tp, records in portions:
        # a record before the stripe's offset was applied, or is a dead letter already
        events = _decode((tp, each) for each in records if each.offset >= expected[tp.partition])
        of_stripe = [each for each in events if stripe_of(each[0].project_id) == batch.stripe]
        if of_stripe:
            await apply(of_stripe)
        await asyncio.sleep(0)
    return letters


def _decode(records: Iterable[tuple[TopicPartition, Any]]) -> Iterator[_Event]:
    """Yields the records that are events, with the events; the others are dead letters already."""
    for tp, record in records:
        with suppress(InvalidRecordError):
            yield decode_record(record), tp, record


def _refused(tp: TopicPartition, record: Any, refusal: RefusedError) -> DeadLetter:
    again = " --again" if was_sent_back(record.headers) else ""  # without --again it is not sent a second time
    remedy = _REMEDY % again if refusal.problem.startswith(STORE_IS_WRONG) else ""
    return dead_letter(tp, record, "refused", refusal.problem[: MAX_DETAIL_CHARS - len(remedy)] + remedy)
