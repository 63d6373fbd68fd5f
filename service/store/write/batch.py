"""Folds events by job and packs them by project and stripe, as arguments of the script that applies a batch.

A consumer folds decoded events here and hands the result to the StoreWriter.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from struct import Struct

from service.events.event import JobDeletion, JobEvent, is_newer
from service.store.layout.jobs import PACKED_JOB_BYTES, pack_jobs
from service.store.layout.keys import stripe_of
from service.store.layout.projects import naming_digest, user_key

_USER = Struct("<6sIHB6sBH")
_NEVER_NAMED = (-1, "")


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
    """A project while its events are folded: the latest event of each job, and the latest name of each user."""

    __slots__ = ("jobs", "users")

    def __init__(self) -> None:
        self.jobs: dict[str, JobEvent | JobDeletion] = {}
        self.users: dict[str, tuple[int, str]] = {}

    def packed(self, project_id: str) -> ProjectBatch:
        users = b"".join([pack_user(user_id, *named) for user_id, named in self.users.items()])
        return ProjectBatch(project_id, users, pack_jobs(self.jobs.values()))


class Fold:
    """Folds events: keeps the latest of each job (a deletion is final) and the latest name of each user."""

    __slots__ = ("_projects",)

    def __init__(self) -> None:
        self._projects: dict[str, _Project] = {}

    def add(self, events: Iterable[JobEvent | JobDeletion]) -> None:
        """Adds events to the fold."""
        projects = self._projects
        for event in events:
            project = projects.get(event.project_id)
            if project is None:
                project = projects[event.project_id] = _Project()
            known = project.jobs.get(event.job_id)
            if isinstance(event, JobDeletion):
                project.jobs[event.job_id] = event
                continue
            if known is None or (isinstance(known, JobEvent) and is_newer(event, known)):
                project.jobs[event.job_id] = event
            named = (event.event_time_ms, event.user_name)
            if named > project.users.get(event.user_id, _NEVER_NAMED):
                project.users[event.user_id] = named

    def stripes(self) -> dict[int, list[ProjectBatch]]:
        """Returns the packed batches of the projects of each stripe that has events."""
        stripes: dict[int, list[ProjectBatch]] = {}
        for project_id, project in self._projects.items():
            stripes.setdefault(stripe_of(project_id), []).append(project.packed(project_id))
        return stripes


def fold(events: Iterable[JobEvent | JobDeletion]) -> dict[int, list[ProjectBatch]]:
    """Returns the packed batches that these events come to, by stripe."""
    folded = Fold()
    folded.add(events)
    return folded.stripes()
