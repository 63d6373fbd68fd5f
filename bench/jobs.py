"""Jobs of one project in their latest state: what every database is filled with, and the answers that it must give."""

import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from bench.recount import Bounds, WrongAnswerError
from bench.streams import DAY_MS, FIRST_MS
from service.events.event import JobEvent, JobStatus

SPAN_MS = 730 * DAY_MS
MINUTE_MS = 60_000
PROJECT = f"{1:032x}"
_WEIGHTS = {JobStatus.FINISHED: 85, JobStatus.FAILED: 10, JobStatus.CANCELLED: 3, JobStatus.RUNNING: 2}

Counts = dict[int, list[int]]
"""By user's number: the jobs in each state by its rank, then the bytes of input."""


Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Jobs:
    """Columns of a project's jobs, sorted by start time: Unix ms, the user's number, the state's rank, bytes."""

    user_count: int
    starts_ms: Integers
    users: Integers
    statuses: Integers
    sizes_bytes: Integers

    def __len__(self) -> int:
        return len(self.starts_ms)

    def columns(self) -> tuple[list[int], list[int], list[int], list[int]]:
        """Start times, users, states, bytes."""
        return self.starts_ms.tolist(), self.users.tolist(), self.statuses.tolist(), self.sizes_bytes.tolist()

    def digest(self) -> str:
        """What tells these jobs from others."""
        return f"{crc32(b''.join(column.tobytes() for column in self._arrays())):08x}"

    def _arrays(self) -> tuple[Integers, Integers, Integers, Integers]:
        return self.starts_ms, self.users, self.statuses, self.sizes_bytes

    def events(self) -> Iterator[JobEvent]:
        """The latest event of each job."""
        rnd = random.Random(1)
        for start_ms, user, status, size_bytes in zip(*self.columns(), strict=True):
            job_id = str(UUID(int=rnd.getrandbits(128), version=4))
            yield JobEvent(
                PROJECT, job_id, user_id(user), user_name(user), JobStatus(status), start_ms, start_ms, size_bytes, 3
            )

    def count(self, bounds: Bounds) -> Counts:
        """The counts of the jobs that start in these bounds, by brute force."""
        start_ms, end_ms = bounds
        first = 0 if start_ms is None else self.starts_ms.searchsorted(start_ms)
        last = len(self) if end_ms is None else self.starts_ms.searchsorted(end_ms)
        users = self.users[first:last]
        counts = np.zeros((self.user_count, len(JobStatus) + 1), np.int64)
        np.add.at(counts, (users, self.statuses[first:last]), 1)
        np.add.at(counts[:, len(JobStatus)], users, self.sizes_bytes[first:last])
        return {user: counts[user].tolist() for user in np.unique(users).tolist()}

    def with_added(self, events: Iterable[JobEvent]) -> "Jobs":
        """These jobs and new ones."""
        rows = [(each.start_time_ms, int(each.user_id, 16), int(each.status), each.input_size_bytes) for each in events]
        added = np.array(rows, np.int64).reshape(-1, 4).T
        starts, *others = (np.concatenate(columns) for columns in zip(self._arrays(), added, strict=True))
        order = starts.argsort()
        return Jobs(self.user_count, starts[order], *(column[order] for column in others))

    def check(self, bounds: Bounds, counts: Counts, source: str) -> None:
        """Raises WrongAnswerError unless `counts` is what these bounds must give."""
        expected = self.count(bounds)
        if counts != expected:
            raise WrongAnswerError(f"{source}, range {bounds}: {counts} instead of {expected}")

    def check_body(self, bounds: Bounds, body: object, source: str) -> None:
        """Raises WrongAnswerError unless `body` is the API's answer to an administrator."""
        expected = to_body(self.count(bounds))
        if body != expected:
            raise WrongAnswerError(f"{source}, range {bounds}: {body} instead of {expected}")


def make_jobs(count: int, users: int, *, in_minute: int = 0) -> Jobs:
    """So many jobs over two years, `in_minute` of them in the one minute of `edge_minute_ms`; the same each time."""
    rng = np.random.default_rng(1)
    starts = FIRST_MS + rng.integers(SPAN_MS, size=count - in_minute)
    starts_of_minute = edge_minute_ms() + rng.integers(MINUTE_MS, size=in_minute)
    weights = np.array(list(_WEIGHTS.values()))
    return Jobs(
        users,
        np.sort(np.concatenate([starts, starts_of_minute])),
        rng.integers(users, size=count),
        rng.choice([int(each) for each in _WEIGHTS], size=count, p=weights / weights.sum()),
        rng.lognormal(22, 2, count).astype(np.int64),
    )


def additions(users: int) -> Iterator[JobEvent]:
    """New jobs without end that start at random on the last day, the same each time."""
    rnd = random.Random("additions")
    while True:
        job_id = str(UUID(int=rnd.getrandbits(128), version=4))
        start_ms = FIRST_MS + SPAN_MS - 1 - rnd.randrange(DAY_MS)
        user = rnd.randrange(users)
        yield JobEvent(
            PROJECT, job_id, user_id(user), user_name(user), JobStatus.LAUNCHING, start_ms, start_ms, 10**9, 1
        )


def edge_minute_ms() -> int:
    """When the minute starts that may hold very many jobs: a third of the way."""
    return (FIRST_MS + SPAN_MS // 3) // MINUTE_MS * MINUTE_MS


def user_id(user: int) -> str:
    """The id of the user of this number."""
    return f"{user:032x}"


def user_name(user: int) -> str:
    """The name of the user of this number."""
    return f"user-{user:05d}"


def to_body(counts: Counts) -> dict[str, object]:
    """The API's answer with these counts."""
    users = [{"user_name": user_name(user), **_fields(row)} for user, row in sorted(counts.items())]
    totals = [sum(column) for column in zip(*counts.values(), strict=True)] or [0] * 7
    return {
        "users": users,
        "total_user_num": len(users),
        **{f"total_{name}": value for name, value in _fields(totals).items()},
    }


def from_body(body: Mapping[str, Any]) -> Counts:
    """The counts in an answer of the API; its totals are not looked at."""
    return {
        int(user["user_name"].removeprefix("user-")): [
            *[user[f"{status.name.lower()}_num"] for status in JobStatus],
            user["input_size"],
        ]
        for user in body["users"]
    }


def _fields(row: list[int]) -> dict[str, int]:
    return {**{f"{status.name.lower()}_num": row[status] for status in JobStatus}, "input_size": row[6]}
