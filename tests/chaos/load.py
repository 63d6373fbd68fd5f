"""What flows while things break: a busy platform's records, and two projects whose answers are known at any time."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from random import Random

import msgspec

from deploy.local.waiting import eventually
from service.events.event import JobEvent, JobStatus
from tests.chaos.known import Growing, Moving
from tests.end_to_end.publisher import Publisher, now_ms
from tests.end_to_end.traffic import NOON_MS, Record, make_record
from tests.store.support import job_uuid

GROWING = "growing"  # a new job with every event, each later than the last: answers are counts of them
GROWING_STEP_MS = 600_000
MOVING = "moving"  # the same jobs for ever; each event moves one to another user, status and start
JOB_BYTES = 3
MOVING_JOBS = 300  # more than a leaf holds
MOVING_SPAN_MS = 400 * 86_400_000
_FIRST_MOVING = 1_000_000_000  # numbers of jobs
_MOVING_NUMBERS = {job_uuid(_FIRST_MOVING + number): number for number in range(MOVING_JOBS)}

_PIECE_RECORDS = 40
_GROWN_A_PIECE = 10
_MOVED_A_PIECE = 10
_RIVALS = 0.2  # share of moves with a rival
_PAUSE_SECONDS = 0.03


def growing_start_ms(number: int) -> int:
    """When the job of this number starts."""
    return NOON_MS + number * GROWING_STEP_MS


@dataclass(frozen=True, slots=True)
class Known:
    """What may be said of the two projects, whatever the consumers have done."""

    growing: Growing = field(default_factory=Growing)
    moving: Moving = field(default_factory=lambda: Moving(MOVING_JOBS))

    def acknowledged(self, records: Sequence[Record], at_ms: int) -> None:
        """Takes in that these records had been acknowledged at that instant."""
        for event in (record.event for record in records):
            if isinstance(event, JobEvent) and event.project_id == GROWING:
                self.growing.acknowledged((event.start_time_ms - NOON_MS) // GROWING_STEP_MS, at_ms)
            elif isinstance(event, JobEvent) and event.project_id == MOVING:
                self.moving.acknowledged(_MOVING_NUMBERS[event.job_id], event, at_ms)


class Load:
    """Publishes piece after piece while it runs. Its history is used up piece by piece, the rest never ends."""

    def __init__(
        self, publisher: Publisher, rnd: Random, history: Sequence[Record], pause_seconds: float = _PAUSE_SECONDS
    ) -> None:
        self._publisher = publisher
        self._pause_seconds = pause_seconds
        self._rnd = rnd
        self._history = iter(history)
        self._sequences = [0] * MOVING_JOBS
        self.known = Known()
        self.acknowledged_ms = 0

    async def begin(self) -> None:
        """Publishes the jobs that will move; returns when they are acknowledged."""
        await self.publish([record for number in range(MOVING_JOBS) for record in self._move(number)])

    async def run(self) -> None:
        """Publishes until it is cancelled; the records of a piece under way are still published."""
        while True:
            piece = asyncio.ensure_future(self.piece())
            try:
                await asyncio.shield(piece)
            except asyncio.CancelledError:
                await piece
                raise
            await asyncio.sleep(self._pause_seconds)

    async def piece(self) -> None:
        """Publishes one piece now."""
        await self.publish(list(self._next_piece()))

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
        self.acknowledged_ms = await self._publisher.publish(records, self.known.acknowledged)

    def published_elsewhere(self, records: Sequence[Record]) -> None:
        """Takes in that somebody else has published these, and they are acknowledged."""
        self._publisher.published += records
        self.acknowledged_ms = now_ms() + 1

    def _next_piece(self) -> Iterator[Record]:
        for _, record in zip(range(_PIECE_RECORDS), self._history, strict=False):
            yield record
        for _ in range(_GROWN_A_PIECE):
            yield self._grow(self.known.growing.send())
        for _ in range(_MOVED_A_PIECE):
            yield from self._move(self._rnd.randrange(MOVING_JOBS))

    def _grow(self, number: int) -> Record:
        return self._record(self._event(GROWING, number, 1, growing_start_ms(number)))

    def _move(self, number: int) -> Iterator[Record]:
        """The next event of a job, and sometimes a rival: another of the same version, whichever comes first."""
        self._sequences[number] += 1
        event = self._event(MOVING, _FIRST_MOVING + number, self._sequences[number], self._moving_start_ms())
        events = [event]
        if self._rnd.random() < _RIVALS:
            rival = self._event(MOVING, _FIRST_MOVING + number, event.sequence, self._moving_start_ms())
            start_ms = self._rnd.choice((event.start_time_ms, rival.start_time_ms))
            events.append(msgspec.structs.replace(rival, status=event.status, start_time_ms=start_ms))
        for each in events:
            self.known.moving.send(number, each)
            yield self._record(each)

    def _moving_start_ms(self) -> int:
        return NOON_MS + self._rnd.randrange(MOVING_SPAN_MS)

    def _event(self, project_id: str, number: int, sequence: int, start_ms: int) -> JobEvent:
        user, status = f"user-{self._rnd.randrange(3)}", JobStatus(self._rnd.randrange(6))
        return JobEvent(
            project_id, job_uuid(number), user, user.upper(), status, NOON_MS, start_ms, JOB_BYTES, sequence
        )

    def _record(self, event: JobEvent) -> Record:
        # By its own time of publication: a watermark must not rest on a time that is made up.
        return replace(make_record(self._rnd, event), timestamp_ms=None)
