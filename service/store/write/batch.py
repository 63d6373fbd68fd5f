"""Folds events by job and packs them by project and stripe, as arguments of the script that applies a batch.

A consumer folds decoded events here and hands the result to the StoreWriter.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from struct import Struct

from service.events.event import JobDeletion, JobEvent, is_newer
from service.store.layout.jobs import PACKED_JOB_BYTES, pack_deletions, pack_jobs
from service.store.layout.keys import stripe_of
from service.store.layout.projects import naming_digest, user_key

_USER = Struct("<6sIHB6sBH")


@lru_cache(maxsize=65_536)
def _identity(user_id: str, name: str) -> tuple[bytes, bytes]:
    """Returns the digest of a user's id and name, and the bytes of both together."""
    return naming_digest(user_id, name), user_id.encode() + name.encode()


def pack_user(user_id: str, time_ms: int, name: str) -> bytes:
    """Packs a naming for the script: user key 6, event time 7, digest 6, lengths of id and name 1 and 2, id, name."""
    digest, text = _identity(user_id, name)
    id_bytes = len(user_id)
    return (
        _USER.pack(
            user_key(user_id),
            time_ms & 0xFFFFFFFF,
            time_ms >> 32 & 0xFFFF,
            time_ms >> 48,
            digest,
            id_bytes,
            len(text) - id_bytes,
        )
        + text
    )


@dataclass(frozen=True, slots=True)
class ProjectBatch:
    """The packed part of a batch that is of one project: the users that it names, and the latest record of each job."""

    project_id: str
    users: bytes
    jobs: bytes

    def __len__(self) -> int:
        return len(self.jobs) // PACKED_JOB_BYTES

    def pieces(self, jobs: int) -> "list[ProjectBatch]":
        """Splits this batch into pieces of at most so many jobs; the first piece has the users."""
        size = jobs * PACKED_JOB_BYTES
        return [
            ProjectBatch(self.project_id, b"" if at else self.users, self.jobs[at : at + size])
            for at in range(0, len(self.jobs), size)
        ]


class _Project:
    """What a batch has of a project: the latest event of each job, deletions, and of each user the event to name it."""

    __slots__ = ("deletions", "events", "users")

    def __init__(self) -> None:
        self.events: list[JobEvent] = []
        self.deletions: list[JobDeletion] = []
        self.users: dict[str, JobEvent] = {}

    def take_name(self, event: JobEvent) -> None:
        """Notes the name that an event gives: of a user's events the latest counts, of one time the greatest name."""
        time_ms, known = event.event_time_ms, self.users.setdefault(event.user_id, event)
        if time_ms > known.event_time_ms or (time_ms == known.event_time_ms and event.user_name > known.user_name):
            self.users[event.user_id] = event

    def packed_users(self) -> bytes:
        return b"".join([pack_user(each.user_id, each.event_time_ms, each.user_name) for each in self.users.values()])


class Fold:
    """Folds events: keeps the latest of each job (a deletion is final) and the latest name of each user.

    `latest` has by record key the latest event of each job. Who replaces an event there, or leaves one out, adds it to
    `others` if it may name its user: if its time is later than that of the latest event, or its user or name another.
    """

    __slots__ = ("_deletions", "latest", "others")

    def __init__(self) -> None:
        self.latest: dict[bytes, JobEvent] = {}
        self.others: list[JobEvent] = []
        self._deletions: dict[bytes, JobDeletion] = {}

    def add(self, event: JobEvent | JobDeletion) -> None:
        """Adds an event to the fold."""
        key = f"{event.project_id}/{event.job_id}".encode()
        if isinstance(event, JobDeletion):
            self._deletions[key] = event
            return
        known = self.latest.setdefault(key, event)
        if known is not event:
            if is_newer(event, known):
                self.latest[key], event = event, known
            self.others.append(event)

    def stripes(self) -> dict[int, list[ProjectBatch]]:
        """Returns the packed batches of the projects of each stripe that has events."""
        projects = self._projects()
        stripes = defaultdict[int, list[ProjectBatch]](list)
        # all events at once, as that takes less time than project by project
        packed, at = pack_jobs([*chain.from_iterable(each.events for each in projects.values())]), 0
        for project_id, project in projects.items():
            end = at + len(project.events) * PACKED_JOB_BYTES
            jobs = packed[at:end] + pack_deletions(project.deletions)
            stripes[stripe_of(project_id)].append(ProjectBatch(project_id, project.packed_users(), jobs))
            at = end
        return dict(stripes)

    def _projects(self) -> dict[str, _Project]:
        projects, deletions = defaultdict[str, _Project](_Project), self._deletions
        for key, event in self.latest.items():
            project = projects[event.project_id]
            project.take_name(event)
            if key not in deletions:
                project.events.append(event)
        for event in self.others:
            projects[event.project_id].take_name(event)
        for deletion in deletions.values():
            projects[deletion.project_id].deletions.append(deletion)
        return projects


def fold(events: Iterable[JobEvent | JobDeletion]) -> dict[int, list[ProjectBatch]]:
    """Returns the packed batches that these events come to, by stripe."""
    folded = Fold()
    for event in events:
        folded.add(event)
    return folded.stripes()
