"""A batch of events, counted from the states that its jobs had before; and the commands that read and write these.

The pipelines may be redis-py's blocking or asynchronous ones: queueing a command is the same in both.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from bench.peers.counting import Counts, difference, jobs_key, to_state

Event = dict[str, Any]
Job = tuple[str, str]
"""The key of a project's jobs, and a job's id in it."""


class _Pipeline(Protocol):
    def hget(self, name: str, key: str) -> object: ...
    def hset(self, name: str, key: str, value: str) -> object: ...
    def hincrby(self, name: str, key: str, amount: int) -> object: ...


def jobs_of(events: Iterable[Event]) -> list[Job]:
    """The jobs of a batch, each once."""
    return list({(jobs_key(event["project_id"]), event["job_id"]): None for event in events})


def fold(events: Iterable[Event], jobs: Sequence[Job], states: Sequence[bytes | None]) -> tuple[Counts, dict[Job, str]]:
    """What a batch changes in the counts, and the new states, given the states of `jobs` so far."""
    last = {job: json.loads(state) for job, state in zip(jobs, states, strict=True) if state}
    counts: Counts = {}
    for event in events:
        job = jobs_key(event["project_id"]), event["job_id"]
        for place, delta in difference(last.get(job), event).items():
            counts[place] = counts.get(place, 0) + delta
        last[job] = event
    return counts, {job: to_state(last[job]) for job in jobs}


def queue_reads(pipeline: _Pipeline, jobs: Iterable[Job]) -> None:
    """Asks for the state of each job."""
    for project_jobs, job_id in jobs:
        pipeline.hget(project_jobs, job_id)


def queue_writes(pipeline: _Pipeline, counts: Counts, states: Mapping[Job, str]) -> None:
    """Writes what `fold` gives."""
    for (key, field), delta in counts.items():
        if delta:
            pipeline.hincrby(key, field, delta)
    for (project_jobs, job_id), state in states.items():
        pipeline.hset(project_jobs, job_id, state)
