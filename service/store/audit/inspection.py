"""What the store knows of one job, and where it counts it."""

from collections.abc import Sequence
from dataclasses import dataclass

from service.events.event import JobStatus
from service.store.audit.reads import GenerationChangedError, ProjectReads, View, node_name, place_of
from service.store.audit.tree import SIZE, content_of, is_inner, is_record, span_of, sum_of
from service.store.errors import StoreUnavailableError
from service.store.layout.nodes import ENTRY_BYTES
from service.store.layout.projects import parse_user
from service.store.layout.records import DELETED_STATUS, job_hash, job_key
from service.store.layout.tree import LEVELS, Node
from service.store.redis.views import FOREIGN, Client, DamagedError

_ATTEMPTS = 20


@dataclass(frozen=True, slots=True)
class Bucket:
    """A node on the way down to a job: what it counts of the job's user, and whether it is the last on the way.

    `start_ms` and `end_ms` are the bounds of its start times, `[start_ms, end_ms)`.
    """

    key: str
    level: int
    start_ms: int
    end_ms: int
    is_inner: bool
    jobs: dict[JobStatus, int]
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Inspection:
    """A job's record, the hash that it lies in, and the buckets from the topmost down to the one that holds the job.

    Of a deleted job nothing but that is known; `user_name` is None where the user has no name that can be read.
    `is_counted`: whether the last bucket holds the job's entry, or, for a millisecond, counts a job of its user and
    status. No answer counts a job that starts before the horizon.
    """

    key: str
    is_deleted: bool
    sequence: int
    event_time_ms: int
    start_time_ms: int
    input_size_bytes: int
    status: JobStatus | None
    user_id: str | None
    user_name: str | None
    buckets: Sequence[Bucket]
    is_counted: bool
    is_before_horizon: bool


async def inspect_job(client: Client, project_id: str, job_id: str) -> Inspection | None:
    """A job at one instant; None if nothing is known of it.

    Raises StoreUnavailableError, LayoutError, and DamagedError where head, meta or record are none.
    """
    job = job_key(job_id)
    path: list[Node] = []
    for _ in range(_ATTEMPTS):
        reads = await ProjectReads.open(client, project_id)
        try:
            view, records = await reads.records([node_name(node) for node in path], [job])
            record = records.get(job)
            if record is None:
                await _check_hash(reads, job, view)
                return None
            if not is_record(record):
                raise DamagedError(_key(reads, job, view), f"job {job.hex()} has a record of no event")
            wanted = [] if record[31] == DELETED_STATUS else _path(record)
            if path == wanted:
                return await _inspection(reads, job, record, dict(zip(path, view.strings, strict=True)), view)
            path = wanted
        except GenerationChangedError:
            continue
    raise StoreUnavailableError(f"job {job_id} of project {project_id} changed under each of {_ATTEMPTS} reads")


def _key(reads: ProjectReads, job: bytes, view: View) -> str:
    return f"{reads.prefix}j:{place_of(job_hash(job), view.meta.hashes if view.meta else 1)}"


async def _check_hash(reads: ProjectReads, job: bytes, view: View) -> None:
    name = _key(reads, job, view).removeprefix(reads.prefix)
    if name in await reads.foreign([name], "hash"):
        raise DamagedError(reads.prefix + name, "is no hash")


def _path(record: bytes) -> list[Node]:
    start_ms = int.from_bytes(record[11:18], "little")
    return [(level, start_ms >> level) for level in LEVELS]


async def _inspection(
    reads: ProjectReads, job: bytes, record: bytes, strings: dict[Node, bytes | None], view: View
) -> Inspection:
    user = record[25:31]
    [named] = (await reads.view([], [("HGET", "u", user)])).replies
    try:
        user_id, user_name = parse_user(named) if named not in {None, FOREIGN} else (None, None)
    except (UnicodeDecodeError, IndexError):
        user_id, user_name = None, None
    buckets: list[Bucket] = []
    is_counted = False
    for node, string in strings.items():
        buckets.append(_bucket(reads.prefix, node, string or b"", user))
        if node[0] == 0 or not is_inner(string):
            is_counted = _is_counted(node, string or b"", record[-ENTRY_BYTES:])
            break
    is_deleted = record[31] == DELETED_STATUS
    return Inspection(
        key=_key(reads, job, view),
        is_deleted=is_deleted,
        sequence=0 if is_deleted else int.from_bytes(record[:4], "little"),
        event_time_ms=int.from_bytes(record[4:11], "little"),
        start_time_ms=int.from_bytes(record[11:18], "little"),
        input_size_bytes=int.from_bytes(record[18:25], "little"),
        status=None if is_deleted else JobStatus(record[31]),
        user_id=None if is_deleted else user_id,
        user_name=None if is_deleted else user_name,
        buckets=buckets,
        is_counted=is_counted,
        is_before_horizon=int.from_bytes(record[11:18], "little") < view.horizon_ms,
    )


def _bucket(prefix: str, node: Node, string: bytes, user: bytes) -> Bucket:
    sums, span = sum_of(string), span_of(node)
    jobs = {status: sums[user, status] for status in JobStatus if sums[user, status]}
    return Bucket(
        f"{prefix}{node_name(node)}", node[0], span.start, span.stop, is_inner(string), jobs, sums[user, SIZE]
    )


def _is_counted(node: Node, string: bytes, entry: bytes) -> bool:
    content = content_of(node, string)
    return content[entry[14:20], entry[20]] > 0 if node[0] == 0 else content[entry] > 0
