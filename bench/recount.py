"""A recount of a stream by brute force, and the check of a store against it."""

import json
import random
from collections.abc import Sequence

from bench.streams import Transition
from service.events.event import JobEvent, JobStatus
from service.store.read.client import create_reader_store
from tests.oracle import Oracle

Bounds = tuple[int | None, int | None]
_RANDOM_RANGES = 100


class WrongAnswerError(Exception):
    """An answer differs from the recount, so that no figure counts."""


def to_event(transition: Transition) -> JobEvent:
    """The event as the store takes it."""
    return JobEvent(
        transition.project_id,
        transition.job_id,
        transition.user_id,
        transition.user_name,
        JobStatus[transition.status],
        transition.event_time,
        transition.start_time,
        transition.input_size,
        transition.sequence,
    )


class Recount:
    """Every answer that a stream must lead to."""

    def __init__(self, stream: Sequence[Transition]) -> None:
        self._oracle = Oracle(map(to_event, stream))
        self.projects = sorted({each.project_id for each in stream})
        self._starts_ms = range(min(each.start_time for each in stream), max(each.start_time for each in stream) + 1)

    def check(self, project_id: str, bounds: Bounds, answer: object) -> None:
        """Raises WrongAnswerError unless `answer` is the body that an administrator must get."""
        expected = self._oracle.answer(project_id, *bounds)
        if answer != expected:
            raise WrongAnswerError(f"project {project_id}, range {bounds}: {answer} instead of {expected}")

    def random_bounds(self, rnd: random.Random) -> Bounds:
        """Two instants among the jobs' start times, the earlier first."""
        first, last = sorted(rnd.choices(self._starts_ms, k=2))
        return first, last

    async def check_store(self, redis_url: str, *, cluster: bool = False) -> None:
        """Raises WrongAnswerError unless the store is right for every project, and for some random ranges."""
        rnd = random.Random(1)
        questions: list[tuple[str, Bounds]] = [(project_id, (None, None)) for project_id in self.projects]
        questions += [(rnd.choice(self.projects), self.random_bounds(rnd)) for _ in range(_RANDOM_RANGES)]
        async with create_reader_store(redis_url, cluster) as store:
            for project_id, bounds in questions:
                answer = await store.read(project_id, *bounds, None)
                self.check(project_id, bounds, json.loads(answer.body))
