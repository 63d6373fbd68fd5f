"""The streams that everything is measured on: whole lives of jobs, merged in the order in which they happen."""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import merge
from uuid import UUID

DAY_MS = 86_400_000
FIRST_MS = 1_700_000_000_000
_TYPES = ("DNA_GERMLINE", "DNA_SOMATIC", "RNA_DIFF_EXPR", "CNVKIT", "SELECT_VARIANTS")


@dataclass(frozen=True, slots=True)
class StreamSpec:
    """So many jobs, three events each, that start within so many days; 50 projects of 20 users unless told."""

    name: str
    jobs: int
    days: float
    projects: int = 50
    users: int = 20
    seed: int = 1


HISTORY = StreamSpec("history", 333_000, 730)
DAY = StreamSpec("day", 100_000, 1)


@dataclass(frozen=True, slots=True)
class Transition:
    """One event of a stream, in the wire's terms."""

    event_time: int
    project_id: str
    user_id: str
    user_name: str
    job_id: str
    job_type: str
    status: str
    start_time: int
    input_size: int
    sequence: int

    def record(self, event_id: str) -> tuple[bytes, bytes]:
        """Key and value of its Kafka record."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        value = json.dumps({"event_id": event_id, **fields}, separators=(",", ":"))
        return f"{self.project_id}/{self.job_id}".encode(), value.encode()


def _hex(rnd: random.Random) -> str:
    return f"{rnd.getrandbits(128):032x}"


def transitions(spec: StreamSpec) -> Iterator[Transition]:
    """All events of a stream by event time; the same for the same spec."""
    rnd = random.Random(spec.seed)
    projects = [(_hex(rnd), [(_hex(rnd), f"user-{i}") for i in range(spec.users)]) for _ in range(spec.projects)]
    span_ms = int(spec.days * DAY_MS)
    starts = sorted(FIRST_MS + rnd.randrange(span_ms) for _ in range(spec.jobs))
    phases: list[list[Transition]] = [[], [], []]
    for start in starts:
        project_id, users = rnd.choice(projects)
        user_id, user_name = rnd.choice(users)
        job_id = str(UUID(int=rnd.getrandbits(128), version=4))
        job_type, size = rnd.choice(_TYPES), int(rnd.lognormvariate(22, 2))
        running = start + int(rnd.uniform(1_000, 300_000))
        ended = running + min(int(rnd.lognormvariate(15.5, 1)), DAY_MS)  # minutes to hours, 90 minutes in the middle
        last = "FAILED" if rnd.random() < 0.1 else "FINISHED"
        for number, (time, status) in enumerate(((start, "LAUNCHING"), (running, "RUNNING"), (ended, last))):
            phases[number].append(
                Transition(time, project_id, user_id, user_name, job_id, job_type, status, start, size, number + 1)
            )
    for phase in phases[1:]:
        phase.sort(key=lambda each: each.event_time)
    return merge(*phases, key=lambda each: each.event_time)
