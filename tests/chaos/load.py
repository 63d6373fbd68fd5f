"""What flows while things break: a busy platform's records, and two projects whose answers are known at any time."""

import asyncio
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from random import Random

from service.events import JobEvent, JobStatus
from tests.end_to_end.publisher import Publisher
from tests.end_to_end.traffic import NOON_MS, Record, make_record
from tests.integration.support import eventually
from tests.store.support import job_uuid

GROWING = "growing"  # a new job with every event, each a second later than the last: answers are counts of them
MOVING = "moving"  # the same jobs for ever; each event moves one to another user, status and start
JOB_BYTES = 3
MOVING_JOBS = 300  # more than a leaf holds
MOVING_SPAN_MS = 400 * 86_400_000
_FIRST_MOVING = 1_000_000_000  # numbers of jobs

_PIECE_RECORDS = 40
_GROWN_A_PIECE = 10
_MOVED_A_PIECE = 10
_PAUSE_SECONDS = 0.03


def growing_start_ms(number: int) -> int:
    """When the job of this number starts."""
    return NOON_MS + number * 1_000


@dataclass(slots=True)
class Known:
    """What may be said of the two projects, whatever the consumers have done."""

    sent: int = 0  # jobs of GROWING that may have been published
    moving_since_ms: int | None = None  # when all jobs of MOVING had been acknowledged
    _acknowledged_ms: list[int] = field(default_factory=list)
    _grown: list[int] = field(default_factory=list)

    def acknowledged(self, at_ms: int) -> None:
        """Takes in that whatever was sent is acknowledged."""
        self._acknowledged_ms.append(at_ms)
        self._grown.append(self.sent)

    def grown_before(self, as_of_ms: int) -> int:
        """How many jobs of GROWING an answer as of this instant must hold."""
        pieces = bisect_right(self._acknowledged_ms, as_of_ms)
        return self._grown[pieces - 1] if pieces else 0


class Load:
    """Publishes piece after piece while it runs. Its history is used up piece by piece, the rest never ends."""

    def __init__(self, publisher: Publisher, rnd: Random, history: Sequence[Record]) -> None:
        self._publisher = publisher
        self._rnd = rnd
        self._history = iter(history)
        self._sequences = [0] * MOVING_JOBS
        self.known = Known()
        self.acknowledged_ms = 0

    async def begin(self) -> None:
        """Publishes the jobs that will move; returns when they are acknowledged."""
        await self.publish([self._move(number) for number in range(MOVING_JOBS)])
        self.known.moving_since_ms = self.acknowledged_ms

    async def run(self) -> None:
        """Publishes until it is cancelled; the records of a piece under way are still published."""
        while True:
            piece = asyncio.ensure_future(self.publish(list(self._next_piece())))
            try:
                await asyncio.shield(piece)
            except asyncio.CancelledError:
                await piece
                raise
            await asyncio.sleep(_PAUSE_SECONDS)

    async def more(self, records: int) -> None:
        """Waits until so many more records have been acknowledged."""
        wanted = len(self.records) + records
        await eventually(lambda: len(self.records) >= wanted, f"{records} more records published", within_seconds=60)

    @property
    def records(self) -> list[Record]:
        """All that have been acknowledged, in their order."""
        return self._publisher.published

    async def publish(self, records: Sequence[Record]) -> None:
        """Returns when they are acknowledged."""
        self.acknowledged_ms = await self._publisher.publish(records)
        self.known.acknowledged(self.acknowledged_ms)

    def _next_piece(self) -> Iterator[Record]:
        for _, record in zip(range(_PIECE_RECORDS), self._history, strict=False):
            yield record
        for _ in range(_GROWN_A_PIECE):
            self.known.sent += 1
            yield self._grow(self.known.sent - 1)
        for _ in range(_MOVED_A_PIECE):
            yield self._move(self._rnd.randrange(MOVING_JOBS))

    def _grow(self, number: int) -> Record:
        return self._record(GROWING, number, 1, growing_start_ms(number))

    def _move(self, number: int) -> Record:
        self._sequences[number] += 1
        start_ms = NOON_MS + self._rnd.randrange(MOVING_SPAN_MS)
        return self._record(MOVING, _FIRST_MOVING + number, self._sequences[number], start_ms)

    def _record(self, project_id: str, number: int, sequence: int, start_ms: int) -> Record:
        user, status = f"user-{self._rnd.randrange(3)}", JobStatus(self._rnd.randrange(6))
        event = JobEvent(
            project_id, job_uuid(number), user, user.upper(), status, NOON_MS, start_ms, JOB_BYTES, sequence
        )
        # By its own time of publication: a watermark must not rest on a time that is made up.
        return replace(make_record(self._rnd, event), timestamp_ms=None)
