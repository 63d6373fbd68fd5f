"""Reads statistics: one MGET over the nodes of a cover, checked against the shape that the cover was made for."""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from redis.asyncio import Redis, RedisCluster

from service.events import MAX_MS, JobStatus
from service.statistics import ProjectStatistics, UserStatistics
from service.store.contract import REDIS_ERRORS, Answer, LayoutError, StoreUnavailableError
from service.store.cover import Node, Shape, cover
from service.store.layout import (
    LAYOUT_VERSION,
    Head,
    head_key,
    parse_head,
    parse_meta,
    parse_shape,
    parse_user,
    project_prefix,
    stripe_of,
    user_key,
)
from service.store.sums import Counts, sum_terms

MAX_CACHED_PROJECTS = 4_096
_ATTEMPTS = 20  # a shape changes at splits only: to meet that many in a row, a read must be starved


@dataclass(frozen=True, slots=True)
class _KnownShape:
    """A project's shape, named by the write that made it."""

    shape_id: bytes
    shape: Shape


@dataclass(frozen=True, slots=True)
class _KnownNames:
    """A project's users, (id, name) by user key, named by the write that last changed them."""

    names_id: bytes
    names: dict[bytes, tuple[str, str]]


@dataclass(slots=True)
class _Known:
    """What is known of a project between reads; replaced as a whole, since reads overlap."""

    shape: _KnownShape = field(default_factory=lambda: _KnownShape(b"", Shape()))
    names: _KnownNames = field(default_factory=lambda: _KnownNames(b"", {}))


def node_key(prefix: str, node: Node) -> str:
    """The key of a node's string."""
    return f"{prefix}n:{node[0]}:{node[1]}"


class RedisStatisticsStore:
    """Statistics from Redis; keeps shapes and names of the projects asked for last."""

    def __init__(self, client: Redis | RedisCluster) -> None:
        self._client = client
        self._known: OrderedDict[str, _Known] = OrderedDict()

    async def ping(self) -> None:
        """Raises StoreUnavailableError unless the store answers, LayoutError if it isn't ours."""
        try:
            head: Any = await self._client.get(head_key(0))
            _check(parse_head(head))
        except REDIS_ERRORS as error:
            raise StoreUnavailableError(f"the store does not answer: {error}") from error

    async def read(self, project_id: str, start_ms: int | None, end_ms: int | None, user_id: str | None) -> Answer:
        """See StatisticsStore.read."""
        interval = range(start_ms or 0, MAX_MS + 1 if end_ms is None else end_ms)
        try:
            return await self._read(project_id, interval, user_id)
        except REDIS_ERRORS as error:
            raise StoreUnavailableError(f"reading a project: {error}") from error

    async def _read(self, project_id: str, interval: range, user_id: str | None) -> Answer:
        prefix, head_of = project_prefix(project_id), head_key(stripe_of(project_id))
        known = self._remember(project_id)
        user = None if user_id is None else user_key(user_id)
        for _ in range(_ATTEMPTS):
            shape = known.shape
            terms = cover(shape.shape, interval.start, interval.stop)
            keys = [head_of, f"{prefix}m", *[node_key(prefix, term.node) for term in terms]]
            replies: list[Any] = await self._client.mget(keys)
            head_data, meta_data, *strings = replies
            head = _check(parse_head(head_data))
            if meta_data is None:
                return Answer(_statistics({}, {}, user_id), head.as_of_ms)
            meta = parse_meta(meta_data)
            if meta.shape_id != shape.shape_id:
                known.shape = await self._learn_shape(prefix)
                continue
            if meta.names_id != known.names.names_id:
                known.names = await self._learn_names(prefix)
                if known.names.names_id != meta.names_id:  # renamed in between: the numbers are older
                    continue
            totals, names = sum_terms(terms, strings, interval, user), known.names.names
            # users are only ever added, so newer names fit older numbers - unless the store went back in between
            if totals.keys() <= names.keys():
                return Answer(_statistics(totals, names, user_id), head.as_of_ms)
        raise StoreUnavailableError(f"project {project_id} changed under each of {_ATTEMPTS} reads")

    def _remember(self, project_id: str) -> _Known:
        known = self._known.get(project_id)
        if known is None:
            known = self._known[project_id] = _Known()
            if len(self._known) > MAX_CACHED_PROJECTS:
                self._known.popitem(last=False)
        self._known.move_to_end(project_id)
        return known

    async def _learn_shape(self, prefix: str) -> _KnownShape:
        replies: list[Any] = await self._client.mget([f"{prefix}m", f"{prefix}s"])
        meta, shape = replies
        if meta is None:
            return _KnownShape(b"", Shape())
        return _KnownShape(parse_meta(meta).shape_id, Shape.of(parse_shape(shape or b"")))

    async def _learn_names(self, prefix: str) -> _KnownNames:
        async with self._client.pipeline(transaction=True) as pipeline:
            # by name: of a cluster's transaction hgetall() is broken
            pipeline.execute_command("GET", f"{prefix}m")
            pipeline.execute_command("HGETALL", f"{prefix}u")
            meta, names = await pipeline.execute()
        if meta is None:
            return _KnownNames(b"", {})
        return _KnownNames(parse_meta(meta).names_id, {key: parse_user(value) for key, value in names.items()})


def _check(head: Head) -> Head:
    if head.layout_version != LAYOUT_VERSION:
        raise LayoutError(f"the store has layout version {head.layout_version}, this process knows {LAYOUT_VERSION}")
    return head


def _user_statistics(name: str, counts: Counts) -> UserStatistics:
    return UserStatistics.model_construct(
        user_name=name,
        launching_num=counts[JobStatus.LAUNCHING],
        running_num=counts[JobStatus.RUNNING],
        failed_num=counts[JobStatus.FAILED],
        finished_num=counts[JobStatus.FINISHED],
        canceling_num=counts[JobStatus.CANCELING],
        cancelled_num=counts[JobStatus.CANCELLED],
        input_size=counts[6],
    )


def _statistics(
    totals: dict[bytes, Counts], names: dict[bytes, tuple[str, str]], user_id: str | None
) -> ProjectStatistics:
    """The answer from the counts per user key; a sub-user's own, under its own id, alone."""
    rows = []
    for key, counts in totals.items():
        if any(counts[:6]):
            identity, name = names[key]
            if user_id is None or identity == user_id:
                rows.append((name, identity, counts))
    rows.sort(key=lambda row: row[:2])
    sums = [sum(column) for column in zip(*[counts for _, _, counts in rows], strict=True)] or [0] * 7
    return ProjectStatistics.model_construct(
        users=[_user_statistics(name, counts) for name, _, counts in rows] if user_id is None else None,
        total_user_num=len(rows) if user_id is None else 1,
        total_launching_num=sums[JobStatus.LAUNCHING],
        total_running_num=sums[JobStatus.RUNNING],
        total_failed_num=sums[JobStatus.FAILED],
        total_finished_num=sums[JobStatus.FINISHED],
        total_canceling_num=sums[JobStatus.CANCELING],
        total_cancelled_num=sums[JobStatus.CANCELLED],
        total_input_size=sums[6],
    )
