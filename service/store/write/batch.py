"""One batch of events, folded by job and packed by stripe: the arguments of the script that applies it."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from struct import Struct

from service.events.event import JobDeletion, JobEvent, is_newer
from service.store.layout.jobs import PACKED_JOB_BYTES, pack_deletion, pack_job
from service.store.layout.keys import stripe_of
from service.store.layout.projects import naming_digest, user_key

_USER = Struct("<6sIHB6sBH")
_NEVER_NAMED = (-1, "")


@lru_cache(maxsize=65_536)
def _identity(user_id: str, name: str) -> tuple[bytes, bytes]:
    """A digest of a user's id and name, and both as the script wants them."""
    return naming_digest(user_id, name), user_id.encode() + name.encode()


def pack_user(user_id: str, time_ms: int, name: str) -> bytes:
    """User key 6, event time 7, digest 6, lengths of id and name 1 and 2, id, name."""
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
    """What a batch says of one project, packed: the users that it names, and the latest record of each of its jobs."""

    project_id: str
    users: bytes
    jobs: bytes

    def __len__(self) -> int:
        return len(self.jobs) // PACKED_JOB_BYTES

    def pieces(self, jobs: int) -> "list[ProjectBatch]":
        """This batch in pieces of at most so many jobs; the first names the users."""
        size = jobs * PACKED_JOB_BYTES
        return [
            ProjectBatch(self.project_id, b"" if at else self.users, self.jobs[at : at + size])
            for at in range(0, len(self.jobs), size)
        ]


class _Project:
    """A project while its events are folded: the latest event of each job, and who was last named what."""

    __slots__ = ("jobs", "users")

    def __init__(self) -> None:
        self.jobs: dict[str, JobEvent | JobDeletion] = {}
        self.users: dict[str, tuple[int, str]] = {}

    def packed(self, project_id: str) -> ProjectBatch:
        users = b"".join([pack_user(user_id, *named) for user_id, named in self.users.items()])
        jobs = b"".join(
            [pack_job(event) if isinstance(event, JobEvent) else pack_deletion(event) for event in self.jobs.values()]
        )
        return ProjectBatch(project_id, users, jobs)


class Fold:
    """Events folded: per job the latest (a deletion is final), per user the latest name."""

    __slots__ = ("_projects",)

    def __init__(self) -> None:
        self._projects: dict[str, _Project] = {}

    def add(self, events: Iterable[JobEvent | JobDeletion]) -> None:
        """Folds more events in."""
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
        """The batches of each stripe that has any, packed."""
        stripes: dict[int, list[ProjectBatch]] = {}
        for project_id, project in self._projects.items():
            stripes.setdefault(stripe_of(project_id), []).append(project.packed(project_id))
        return stripes


def fold(events: Iterable[JobEvent | JobDeletion]) -> dict[int, list[ProjectBatch]]:
    """The batches of each stripe, of these events."""
    folded = Fold()
    folded.add(events)
    return folded.stripes()
