"""What the store knows of one job, and where it counts it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from service.events.event import JobStatus
from service.store.audit.reads import ProjectReads, node_name, on_live_generation
from service.store.audit.tree import SIZE, content_of, content_of_records, sum_of
from service.store.errors import StoreUnavailableError
from service.store.layout.nodes import has_rows
from service.store.layout.projects import read_user
from service.store.layout.records import Record, job_key, parse_record, place_of
from service.store.layout.tree import LEVELS, Node, span_of
from service.store.redis.views import Client, DamagedError

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
    """Returns what is known of a job, of one instant; None if that is nothing.

    Raises StoreUnavailableError, LayoutError, and DamagedError where head, meta or record are none.
    """
    return await on_live_generation(client, project_id, partial(_inspect, job=job_key(job_id)))


async def _inspect(reads: ProjectReads, job: bytes) -> Inspection | None:
    path: list[Node] = []
    for _ in range(_ATTEMPTS):
        view, records = await reads.records([node_name(node) for node in path], [job])
        name = f"j:{place_of(job, view.meta.hashes if view.meta else 1)}"
        if job not in records:
            if name in await reads.foreign([name], "hash"):
                raise DamagedError(reads.prefix + name, "is no hash")
            return None
        record = parse_record(records[job])
        if record is None:
            raise DamagedError(reads.prefix + name, f"job {job.hex()} has a record of no event")
        wanted = [] if record.is_deleted else [(level, record.start_ms >> level) for level in LEVELS]
        if path == wanted:
            return await _inspection(reads, name, records[job], record, dict(zip(path, view.strings, strict=True)))
        path = wanted
    raise StoreUnavailableError(f"job {job.hex()} of project {reads.project_id} changed under {_ATTEMPTS} reads")


async def _inspection(
    reads: ProjectReads, name: str, data: bytes, record: Record, strings: dict[Node, bytes | None]
) -> Inspection:
    view = await reads.view([], [("HGET", "u", record.user)])
    [field] = view.replies
    named = read_user(field) if isinstance(field, bytes) and not record.is_deleted else None
    user_id, user_name = named or (None, None)
    buckets: list[Bucket] = []
    is_counted = False
    for node, string in strings.items():
        buckets.append(_bucket(reads.prefix, node, string or b"", record.user))
        if not buckets[-1].is_inner or node[0] == 0:
            content, asked = content_of(node, string or b""), content_of_records(node, [data])
            is_counted = all(content[item] > 0 for item in asked if not isinstance(item, tuple) or item[1] != SIZE)
            break
    return Inspection(
        key=reads.prefix + name,
        is_deleted=record.is_deleted,
        sequence=0 if record.is_deleted else record.sequence,
        event_time_ms=record.event_time_ms,
        start_time_ms=record.start_ms,
        input_size_bytes=record.size_bytes,
        status=None if record.is_deleted else JobStatus(record.status),
        user_id=user_id,
        user_name=user_name,
        buckets=buckets,
        is_counted=is_counted,
        is_before_horizon=record.start_ms < view.horizon_ms,
    )


def _bucket(prefix: str, node: Node, string: bytes, user: bytes) -> Bucket:
    sums, span = sum_of(string), span_of(node)
    jobs = {status: sums[user, status] for status in JobStatus if sums[user, status]}
    key = f"{prefix}{node_name(node)}"
    return Bucket(key, node[0], span.start, span.stop, has_rows(string), jobs, sums[user, SIZE])
