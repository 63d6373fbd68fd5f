"""Reads statistics: one MGET over the nodes of a cover, checked against the shape that the cover was made for."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, NamedTuple

from redis.asyncio import Redis, RedisCluster

from service.events import MAX_MS, user_number
from service.store.answer_cache import AnswerCache, Question, Stamp
from service.store.answers import Names, administrator_body, sub_user_body
from service.store.contract import REDIS_ERRORS, Answer, StoreUnavailableError
from service.store.cover import Cover, Node, Shape, cover
from service.store.layout import (
    STRIPES,
    Head,
    Live,
    as_of_ms,
    check_layout,
    claims_key,
    head_key,
    parse_head,
    parse_meta,
    parse_shape,
    project_prefix,
    stripe_of,
    stripe_tag,
    user_key,
)
from service.store.shared_read import SharedRead
from service.store.sums import Summing, Sums, Users

MAX_CACHED_PROJECTS = 4_096
MAX_CACHED_ANSWER_BYTES = 64 * 1024 * 1024
_ATTEMPTS = 20  # a shape changes at splits only: to meet that many in a row, a read must be starved


@dataclass(frozen=True, slots=True)
class _KnownShape:
    """A project's shape, named by the write that made it."""

    shape_id: bytes
    shape: Shape


class _Look(NamedTuple):
    """What a stripe's head and a project's last write were, at this time or later."""

    asked_at_seconds: float
    head: Head
    as_of_ms: int
    stamp: Stamp


@dataclass(slots=True)
class _Known:
    """What is known of a project between reads; replaced as a whole, since reads overlap."""

    shape: _KnownShape = field(default_factory=lambda: _KnownShape(b"", Shape()))
    names: Names = field(default_factory=lambda: Names(b"", {}))
    look: _Look | None = None


def node_key(prefix: str, node: Node) -> str:
    """The key of a node's string."""
    return f"{prefix}n:{node[0]}:{node[1]}"


class RedisStatisticsStore:
    """Statistics from Redis; keeps shapes and names of the projects asked for last, and answers given before.

    An answer given before is given again without asking Redis if that said less than `fresh_seconds` ago that it holds.
    """

    def __init__(
        self,
        client: Redis | RedisCluster,
        fresh_seconds: float = 0.0,
        monotonic_seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._fresh_seconds = fresh_seconds
        self._monotonic_seconds = monotonic_seconds
        self._shared = SharedRead(client)
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._answers = AnswerCache(MAX_CACHED_ANSWER_BYTES)
        self._live = [Live()] * STRIPES  # as last seen

    async def ping(self) -> None:
        """Raises StoreUnavailableError unless the store answers, LayoutError if it isn't ours."""
        try:
            head: Any = await self._client.get(head_key(0))
        except REDIS_ERRORS as error:
            raise StoreUnavailableError(f"the store does not answer: {error}") from error
        check_layout(parse_head(head))

    async def read(self, project_id: str, start_ms: int | None, end_ms: int | None, user_id: str | None) -> Answer:
        """See StatisticsStore.read."""
        question = Question(project_id, start_ms or 0, MAX_MS + 1 if end_ms is None else end_ms, user_id)
        try:
            return await self._read(question)
        except REDIS_ERRORS as error:
            raise StoreUnavailableError(f"reading a project: {error}") from error

    async def _read(self, question: Question) -> Answer:
        """Asks until what the keys were chosen by - generation, horizon, shape, names - is what the reply says."""
        known, stripe = self._remember(question.project_id), stripe_of(question.project_id)
        remembered = self._answers.get(question)
        asked_at_seconds, look = self._monotonic_seconds(), known.look
        is_fresh = look is not None and asked_at_seconds - look.asked_at_seconds < self._fresh_seconds
        if remembered and look and is_fresh and remembered[0] == look.stamp:
            return _answer(look.head, look.as_of_ms, remembered[1])
        for _ in range(_ATTEMPTS):
            shape, live = known.shape, self._live[stripe]
            interval = range(max(question.start_ms, live.horizon_ms), question.end_ms)
            asked = Cover() if remembered else cover(shape.shape, interval.start, interval.stop)
            head_data, claims_data, meta_data, *strings = await self._get_strings(
                question.project_id, live.generation, asked
            )
            head = check_layout(parse_head(head_data))
            as_of = as_of_ms(head_data, claims_data)
            if head.live != live:
                self._live[stripe] = head.live
                continue
            if meta_data is None:
                return _answer(head, as_of, _body(question.user_id, interval, Cover(), [], Names(b"", {})))
            meta = parse_meta(meta_data)
            if meta.unfinished_hashes:
                raise StoreUnavailableError(
                    f"a write of project {question.project_id} ended in part; it is being mended"
                )
            stamp = Stamp(meta.write_id, live)
            known.look = _Look(asked_at_seconds, head, as_of, stamp)
            if remembered:
                if remembered[0] == stamp:
                    return _answer(head, as_of, remembered[1])
                remembered = None
            elif meta.shape_id != shape.shape_id:
                known.shape = await self._learn_shape(question.project_id, live.generation)
            elif meta.names_id != known.names.names_id:
                known.names = await self._learn_names(question.project_id, live.generation)
            else:
                body = _body(question.user_id, interval, asked, strings, known.names)
                self._answers.put(question, stamp, body)
                return _answer(head, as_of, body)
        raise StoreUnavailableError(f"project {question.project_id} changed under each of {_ATTEMPTS} reads")

    def _remember(self, project_id: str) -> _Known:
        known = self._known.get(project_id)
        if known is None:
            known = self._known[project_id] = _Known()
            if len(self._known) > MAX_CACHED_PROJECTS:
                self._known.popitem(last=False)
        self._known.move_to_end(project_id)
        return known

    async def _get_strings(self, project_id: str, generation: int, asked: Cover) -> list[Any]:
        """Head and claims of the project's stripe, its meta, and the strings of a cover, all of one instant."""
        stripe, prefix = stripe_of(project_id), project_prefix(project_id, generation)
        keys = [head_key(stripe), claims_key(stripe), f"{prefix}m"]
        for level, indexes in chain(asked.added, asked.taken):
            stem = f"{prefix}n:{level}:"
            keys += [f"{stem}{index}" for index in indexes]
        keys += [node_key(prefix, cut.node) for cut in asked.cuts]
        return await self._shared.mget(stripe_tag(stripe), keys)

    async def _learn_shape(self, project_id: str, generation: int) -> _KnownShape:
        prefix = project_prefix(project_id, generation)
        replies: list[Any] = await self._client.mget([f"{prefix}m", f"{prefix}s"])
        meta, shape = replies
        if meta is None:
            return _KnownShape(b"", Shape())
        return _KnownShape(parse_meta(meta).shape_id, Shape.of(parse_shape(shape or b"")))

    async def _learn_names(self, project_id: str, generation: int) -> Names:
        """The names, by their id if it was the same before and after; a transaction is refused where memory is full."""
        prefix = project_prefix(project_id, generation)
        before: Any = await self._client.get(f"{prefix}m")
        users: Any = await self._client.hgetall(f"{prefix}u")
        after: Any = await self._client.get(f"{prefix}m")
        if before is None or after is None or parse_meta(before).names_id != parse_meta(after).names_id:
            return Names(b"", {})
        return Names(parse_meta(after).names_id, users)


def _answer(head: Head, as_of: int, body: bytes) -> Answer:
    return Answer(body, as_of, head.live.horizon_ms, head.gaps)


def _body(user_id: str | None, interval: range, asked: Cover, strings: list[bytes | None], names: Names) -> bytes:
    """The body of an answer; a sub-user's jobs are those under its own id."""
    if user_id is None:
        return administrator_body(_sum_up(Summing(names.users, None), interval, asked, strings), names)
    summing = Summing(Users([user_number(user_id)]), user_key(user_id))
    if not names.has(user_id):
        return sub_user_body(summing.result())
    return sub_user_body(_sum_up(summing, interval, asked, strings))


def _sum_up(summing: Summing, interval: range, asked: Cover, strings: list[bytes | None]) -> Sums:
    cuts, added = len(strings) - len(asked.cuts), sum(len(indexes) for _, indexes in asked.added)
    summing.add(strings[:added], 1)
    summing.add(strings[added:cuts], -1)
    if asked.cuts:
        summing.add_parts(asked.cuts, strings[cuts:], interval)
    return summing.result()
