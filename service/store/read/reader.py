"""Reads statistics: one MGET over the nodes of a cover, checked against the shape that the cover was made for."""

import time
from collections.abc import Callable
from functools import partial
from itertools import chain
from typing import Any, NamedTuple

from redis.asyncio import Redis, RedisCluster

from service.events.event import MAX_MS
from service.store.contract import Answer
from service.store.errors import StoreUnavailableError
from service.store.layout.heads import Head, Live, as_of_ms, check_layout, head_bytes, parse_head
from service.store.layout.keys import STRIPES, claims_key, head_key, node_key, project_prefix, stripe_of, stripe_tag
from service.store.layout.projects import Meta, parse_meta, user_key
from service.store.read.answer_cache import AnswerCache, Question
from service.store.read.answers import administrator_body, sub_user_body
from service.store.read.cover import Cover, cover
from service.store.read.known import Known, KnownProjects
from service.store.read.learning import Learning
from service.store.read.names import Names, parse_namings
from service.store.read.node_checks import check_nodes, parsed
from service.store.read.shared_read import SharedRead
from service.store.read.sums import Summing, Sums, Users
from service.store.redis.clock import system_now_ms
from service.store.redis.outages import reaching
from service.store.redis.views import DamagedError

MAX_CACHED_ANSWER_BYTES = 64 * 1024 * 1024
_ATTEMPTS = 20  # a shape changes at splits only: to meet that many in a row, a read must be starved
_DOUBTS = 3


class _View(NamedTuple):
    """Strings of one instant, of a stripe's head and a project; namings are None if they were not asked for."""

    head: Head
    as_of_ms: int
    meta: Meta | None
    namings: bytes | None
    nodes: list[bytes | None]


class _Doubts:
    """Counts what a view lacks that may have come or gone since; after so many reads in a row it is damage."""

    def __init__(self) -> None:
        self.left = _DOUBTS

    def add(self, key: str, what: str) -> None:
        """Counts one more; raises DamagedError if there were enough."""
        if not self.left:
            raise DamagedError(key, what)
        self.left -= 1


class RedisStatisticsStore:
    """Statistics from Redis; keeps shapes and names of the projects asked for last, and answers given before.

    An answer given before is given again without asking Redis if that said less than `fresh_seconds` ago that it holds.
    No as-of is later than the present of this clock.
    """

    def __init__(
        self,
        client: Redis | RedisCluster,
        fresh_seconds: float = 0.0,
        monotonic_seconds: Callable[[], float] = time.monotonic,
        now_ms: Callable[[], int] = system_now_ms,
    ) -> None:
        self._client = client
        self._fresh_seconds = fresh_seconds
        self._monotonic_seconds = monotonic_seconds
        self._now_ms = now_ms
        self._shared = SharedRead(client)
        self._learning = Learning(client)
        self._known = KnownProjects()
        self._answers = AnswerCache(MAX_CACHED_ANSWER_BYTES)
        self._live = [Live()] * STRIPES  # as last seen

    async def ping(self) -> None:
        """Raises StoreUnavailableError unless the store answers, LayoutError if it isn't ours."""
        with reaching("the store does not answer"):
            data: Any = await self._client.get(head_key(0))
        try:
            _head(0, data)
        except DamagedError as error:
            raise StoreUnavailableError(str(error)) from error

    async def read(self, project_id: str, start_ms: int | None, end_ms: int | None, user_id: str | None) -> Answer:
        """See StatisticsStore.read."""
        question = Question(project_id, start_ms or 0, MAX_MS + 1 if end_ms is None else end_ms, user_id)
        try:
            with reaching("reading a project"):
                return await self._read(question)
        except DamagedError as error:
            raise StoreUnavailableError(f"project {project_id} is damaged: {error}") from error

    async def _read(self, question: Question) -> Answer:
        """Asks until what the keys were chosen by - generation, horizon, shape, names - is what the reply says."""
        known, stripe = self._known.of(question.project_id), stripe_of(question.project_id)
        remembered = self._answers.get(question)
        asked_at_seconds, look = self._monotonic_seconds(), known.look
        is_fresh = look is not None and asked_at_seconds - look.asked_at_seconds < self._fresh_seconds
        if remembered and look and is_fresh and remembered[0] == look.stamp:
            return self._answer(look.head, look.as_of_ms, remembered[1])
        doubts = _Doubts()
        for _ in range(_ATTEMPTS):
            shape, live = known.shape, self._live[stripe]
            interval = range(max(question.start_ms, live.horizon_ms), question.end_ms)
            asked = Cover() if remembered else cover(shape.shape, interval.start, interval.stop)
            wants_namings = not remembered and question.user_id is None and known.wants_namings
            view = await self._look(question.project_id, live.generation, asked, wants_namings)
            if view.head.live != live:
                self._live[stripe] = view.head.live
                continue
            if view.meta is None:
                remains = await self._learning.remains(question.project_id, live.generation)
                if remains is None:
                    return self._answer(view.head, view.as_of_ms, _nothing(question.user_id))
                doubts.add(remains, "is not there, or no string")
                continue
            stamp = known.saw(asked_at_seconds, view.head, view.as_of_ms, view.meta)
            if remembered and remembered[0] == stamp:
                return self._answer(view.head, view.as_of_ms, remembered[1])
            if remembered:
                remembered = None
            elif view.meta.shape_id != shape.shape_id:
                known.shape = await self._learning.shape(question.project_id, live.generation)
            else:
                check_nodes(project_prefix(question.project_id, live.generation), shape.shape, asked, view.nodes)
                body = await self._body(question, known, view, partial(_sum_up, interval, asked, view.nodes), doubts)
                if body is not None:
                    self._answers.put(question, stamp, body)
                    return self._answer(view.head, view.as_of_ms, body)
        raise StoreUnavailableError(f"project {question.project_id} changed under each of {_ATTEMPTS} reads")

    async def _look(self, project_id: str, generation: int, asked: Cover, wants_namings: bool) -> _View:
        """Reads a stripe's head, a project's meta, and the strings of a cover.

        Raises DamagedError, LayoutError, and StoreUnavailableError if the project is marked.
        """
        stripe, prefix = stripe_of(project_id), project_prefix(project_id, generation)
        keys = [head_key(stripe), claims_key(stripe), f"{prefix}m", *([f"{prefix}t"] if wants_namings else ())]
        nodes_at = len(keys)
        for level, indexes in chain(asked.added, asked.taken):
            stem = f"{prefix}n:{level}:"
            keys += [f"{stem}{index}" for index in indexes]
        keys += [node_key(prefix, cut.node) for cut in asked.cuts]
        strings = await self._shared.mget(stripe_tag(stripe), keys)
        head_data, claims_data, meta_data = strings[:3]
        head = _head(stripe, head_data)
        meta = None if meta_data is None else parsed(keys[2], parse_meta, meta_data)
        if meta is not None and meta.unfinished_hashes:
            raise StoreUnavailableError(f"a write of project {project_id} ended in part; it will be mended")
        if meta is not None and head_data is None:
            raise DamagedError(keys[0], "is not there, though projects are")
        namings = (strings[3] or b"") if wants_namings else None
        return _View(head, as_of_ms(head_data, claims_data), meta, namings, strings[nodes_at:])

    async def _body(
        self, question: Question, known: Known, view: _View, sum_up: Callable[[Summing], Sums], doubts: _Doubts
    ) -> bytes | None:
        """Returns the body of an answer, None if the view has to be read again. Raises DamagedError."""
        if question.user_id is None:
            names = await self._names(question.project_id, known, view, doubts)
            return None if names is None else administrator_body(sum_up(Summing(names.users, None)), names)
        key = user_key(question.user_id)
        sums = sum_up(Summing(Users([int.from_bytes(key, "little")]), key))
        if not sums.counts.any():
            return sub_user_body(sums)
        assert view.meta is not None  # noqa: S101 - else there is nothing to sum up
        generation, names_id = view.head.generation, view.meta.names_id
        is_user = await self._learning.is_user(question.project_id, generation, question.user_id, names_id)
        if is_user is None:
            doubts.add("u", "lacks a user who has jobs")
            return None
        return sub_user_body(sums) if is_user else _nothing(question.user_id)

    async def _names(self, project_id: str, known: Known, view: _View, doubts: _Doubts) -> Names | None:
        """Returns a view's names; some may be newer where renaming goes on. None: the view has to be read again."""
        assert view.meta is not None  # noqa: S101 - else there is nothing to name
        if view.meta.names_id == known.names.names_id:
            known.wants_namings = False
            return known.names
        known.wants_namings = True
        if view.namings is None:
            return None
        namings = parsed(f"{project_prefix(project_id, view.head.generation)}t", parse_namings, view.namings)
        names = await self._learning.names(project_id, view.head.generation, known, namings)
        if not names.lacking(namings):
            names.names_id = view.meta.names_id
        elif doubts.left:
            doubts.left -= 1
            return None
        self._known.forget_names()
        return names

    def _answer(self, head: Head, as_of: int, body: bytes) -> Answer:
        return Answer(body, min(as_of, self._now_ms()), head.live.horizon_ms, head.gaps)


def _head(stripe: int, data: bytes | None) -> Head:
    """Returns what a stripe's head says. Raises DamagedError, LayoutError."""
    head = check_layout(parsed(head_key(stripe), parse_head, data or b""))
    if data and len(data) != head_bytes(len(head.progress)):
        raise DamagedError(head_key(stripe), f"has {len(data)} bytes")
    return head


def _nothing(user_id: str | None) -> bytes:
    """Returns the body of an answer without jobs."""
    if user_id is None:
        return administrator_body(Summing(Users([]), None).result(), Names())
    return sub_user_body(Summing(Users([0]), None).result())


def _sum_up(interval: range, asked: Cover, strings: list[bytes | None], summing: Summing) -> Sums:
    cuts, added = len(strings) - len(asked.cuts), sum(len(indexes) for _, indexes in asked.added)
    summing.add(strings[:added], 1)
    summing.add(strings[added:cuts], -1)
    if asked.cuts:
        summing.add_parts(asked.cuts, strings[cuts:], interval)
    return summing.result()
