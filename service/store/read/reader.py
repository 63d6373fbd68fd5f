"""Reads statistics: one MGET over the nodes of a cover, checked against the shape that the cover was made for."""

import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeAlias

from redis.asyncio import Redis, RedisCluster

from service.events.event import MAX_MS, JobStatus
from service.runtime.digests import digest_of
from service.store.contract import Answer, Freshness, How, Series, Standing, StoreTotals
from service.store.errors import StoreUnavailableError
from service.store.layout.heads import Live
from service.store.layout.keys import STRIPES, head_key, stripe_of, stripe_tag, trial_key
from service.store.layout.projects import user_key
from service.store.layout.totals import Totals
from service.store.read.answer_cache import AnswerCache, Question, Remembered
from service.store.read.bodies import Bodies, Doubts
from service.store.read.cache_bytes import DEFAULT_CACHE_BYTES, CacheBytes
from service.store.read.held import Held
from service.store.read.joined_looks import JoinedLooks
from service.store.read.known import QUESTION_SECONDS, Known, KnownProjects
from service.store.read.learning import Learning
from service.store.read.node_memory import NodeMemory
from service.store.read.plan import Plan
from service.store.read.series import SeriesReader
from service.store.read.series_plan import SeriesQuestion
from service.store.read.shared_read import SharedRead
from service.store.read.stragglers import ask_all
from service.store.read.totals import read_totals
from service.store.read.view import Asked, Look, Mget, View, read_as_of_ms, read_view
from service.store.redis.clock import system_now_ms
from service.store.redis.layouts import LayoutNotes
from service.store.redis.outages import find_remedy, is_outage, reaching
from service.store.redis.shards import one_stripe_each
from service.store.redis.views import DamagedError, parse_stored_head

_DOING = "reading a project"
_Again: TypeAlias = Callable[[Look], Answer | None]
"""Makes an answer at a look; None: something was written to the project, and it has to be asked for."""
_ATTEMPTS = 20  # a shape changes at splits only: to meet that many in a row, a read must be starved


class RedisStatisticsStore:
    """Statistics from Redis; keeps what it was asked for last in `cache_bytes` bytes, and answers given before.

    No as-of is later than the present of this clock.
    """

    def __init__(
        self,
        client: Redis | RedisCluster,
        monotonic_seconds: Callable[[], float] = time.monotonic,
        now_ms: Callable[[], int] = system_now_ms,
        *,
        key_of_user: Callable[[str], bytes] = user_key,
        cache_bytes: int = DEFAULT_CACHE_BYTES,
    ) -> None:
        shares = CacheBytes.of(cache_bytes)
        self._client = client
        self._monotonic_seconds = monotonic_seconds
        self._now_ms = now_ms
        self._shared = SharedRead(client)
        self._looks = JoinedLooks(self._shared, self._read_view)
        self._learning = Learning(client, key_of_user, shares.ids)
        self._known = KnownProjects(shares.projects)
        self._bodies = Bodies(self._learning, self._known, NodeMemory(shares.nodes), key_of_user)
        self._answers = AnswerCache(shares.answers)
        self._live = [Live()] * STRIPES  # as last seen
        self._series = SeriesReader(self._look_alone, self._live_of, self._learning, self._bodies, key_of_user)
        self._layouts = LayoutNotes()

    async def ping(self) -> None:
        """Does what questions do, on each primary, to keys that are small, or not there.

        Raises StoreUnavailableError unless all of it succeeds on a primary, and none says that we are denied access.
        Raises LayoutError if the store isn't ours. A shard that is away is no reason to send nobody here: it is away
        for every process, and questions of other shards are answered.
        """
        with reaching("the store does not answer"):
            stripes = await one_stripe_each(self._client)
        outages = [each for each in await ask_all(map(self._probe, stripes)) if each is not None]
        for error in outages:
            if len(outages) == len(stripes) or not is_outage(error) or find_remedy(error):
                with reaching("the store does not answer"):
                    raise error

    async def _probe(self, stripe: int) -> None:
        key, missing = head_key(stripe), trial_key(stripe)
        [head, _] = await self._shared.mget(stripe_tag(stripe), [key, missing])
        try:
            self._layouts.note(parse_stored_head(stripe, head))
        except DamagedError as error:
            raise StoreUnavailableError(str(error), "damaged") from error
        await self._learning.try_rights(missing)

    async def freshness(self) -> Freshness:
        """See StatisticsStore.freshness. A damaged head counts as one without an as-of."""
        each_ms = []
        with reaching("reading as-of"):
            for as_of_ms in await ask_all(read_as_of_ms(self._shared, stripe) for stripe in range(STRIPES)):
                if isinstance(as_of_ms, BaseException):
                    raise as_of_ms
                each_ms.append(as_of_ms)
        now_ms = self._now_ms()
        return Freshness(min(*each_ms, now_ms), min(max(each_ms), now_ms))

    async def totals(self) -> StoreTotals | None:
        """See StatisticsStore.totals. On a single Redis all stripes are of one instant."""
        known, is_known = Totals(), True
        with reaching("reading totals"):
            reads = [read_totals(self._shared, stripe, live.generation) for stripe, live in enumerate(self._live)]
            for read in await ask_all(reads):
                if isinstance(read, BaseException):
                    raise read
                head, totals = read
                self._layouts.note(head)
                is_known = is_known and totals is not None
                known += totals or Totals()
        jobs = dict(zip(JobStatus, known.jobs, strict=True))
        return StoreTotals(jobs, known.size_bytes) if is_known else None

    async def read(self, project_id: str, start_ms: int | None, end_ms: int | None, user_id: str | None) -> Answer:
        """See StatisticsStore.read."""
        question, known = _question(project_id, start_ms, end_ms, user_id), self._known.of(project_id)
        return await self._read(question, known, self._begin(question, known))

    def ask(
        self,
        project_id: str,
        start_ms: int | None,
        end_ms: int | None,
        user_id: str | None,
        tell: Callable[[Answer | Exception | None], None],
    ) -> Coroutine[Any, Any, Answer] | None:
        """See StatisticsStore.ask."""
        question, known = _question(project_id, start_ms, end_ms, user_id), self._known.of(project_id)
        begun = self._begin(question, known)
        if isinstance(begun, Plan):
            return self._read(question, known, begun)

        def hear(view: View | None, error: Exception | None) -> None:
            found: Answer | Exception | None = None
            try:
                if error is not None:
                    raise error  # noqa: TRY301 - to have it named
                if view is not None:
                    found = begun(view.look)
            except Exception as failed:  # noqa: BLE001 - whatever it is
                found = _named(failed, project_id)
            tell(found)

        self._looks.tell(project_id, self._live_of(project_id).generation, hear)
        return None

    async def series(
        self, project_id: str, borders_ms: Sequence[int], user_id: str | None, user_name: str | None
    ) -> Series:
        """See StatisticsStore.series."""
        question = SeriesQuestion(project_id, borders_ms, user_id, user_name)
        with _reading(project_id, "reading a series"):
            points = await self._series.read(question, self._known.of(project_id))
        jobs, head = dict(zip(JobStatus, points.jobs, strict=True)), points.look.head
        return Series(jobs, points.size_bytes, self._as_of_ms(points.look), head.live.horizon_ms, head.gaps)

    async def standing(self, project_id: str) -> Standing:
        """See StatisticsStore.standing. It reads the head, the claims and the project's meta, of one instant."""
        with _reading(project_id, "looking at a project"):
            # of this class: it makes no span, as it is no part of a request, and comes four times a second
            view = await RedisStatisticsStore._join_look(self, project_id)
        return Standing(view.look.stamp, self._as_of_ms(view.look))

    def _begin(self, question: Question, known: Known) -> _Again | Plan:
        """Returns what makes the answer of a look, if all that it needs is remembered; else what is to be asked for."""
        remembered = self._answers.get(question)
        if remembered is not None:
            return partial(self._still, remembered)
        plan = self._plan(question, known)
        held = self._bodies.held(question, known, plan)
        return plan if held is None else partial(self._from_held, question, known, held)

    async def _read(self, question: Question, known: Known, begun: _Again | Plan) -> Answer:
        with _reading(question.project_id, _DOING):  # the client ends each read that takes too long
            if isinstance(begun, Plan):
                return await self._asked(question, known, begun)
            found = begun((await self._join_look(question.project_id)).look)
            return found or await self._asked(question, known, self._plan(question, known))

    async def _asked(self, question: Question, known: Known, plan: Plan) -> Answer:
        """Asks until what the keys were chosen by - generation, horizon, shape, names - is what the reply says."""
        project_id, doubts, began_seconds = question.project_id, Doubts(), self._monotonic_seconds()
        for attempt in range(_ATTEMPTS):
            if attempt:
                if self._monotonic_seconds() - began_seconds > QUESTION_SECONDS:
                    raise StoreUnavailableError(f"reading a project: no answer within {QUESTION_SECONDS:g} s")
                plan = self._plan(question, known)
            view = await self._look(project_id, plan.asked)
            if view.look.head.live != plan.live:
                continue
            if view.meta is not None:
                if view.meta.shape_id != plan.shape.shape_id:
                    await self._bodies.learn_shape(project_id, known, plan.live.generation)
                    continue
                plan.check(project_id, view)
            body = await self._bodies.of(question, known, plan, view, doubts)
            if body is not None:
                made = Remembered(view.look.stamp, body, digest_of(body))
                if view.meta is not None:
                    self._answers.put(question, made)
                return self._answer(view.look, made, "reread" if attempt else "read")
        raise StoreUnavailableError(f"project {project_id} changed under each of its reads", "changed")

    def _plan(self, question: Question, known: Known) -> Plan:
        return Plan.of(question, known, self._live_of(question.project_id))

    async def _join_look(self, project_id: str) -> View:
        """Returns a view of head and meta, which other questions share that came before it was asked for."""
        return await self._looks.join(project_id, self._live_of(project_id).generation)

    async def _look(self, project_id: str, asked: Asked, *, is_alone: bool = False) -> View:
        """Returns a view. With `is_alone` it shares its MGET with no other question. Raises as read_view."""
        return await self._read_view(self._read_alone if is_alone else self._shared.mget, project_id, asked)

    async def _look_alone(self, project_id: str, asked: Asked) -> View:
        return await self._look(project_id, asked, is_alone=True)

    async def _read_view(self, mget: Mget, project_id: str, asked: Asked) -> View:
        view = await read_view(mget, project_id, asked)
        self._live[stripe_of(project_id)] = view.look.head.live
        return view

    async def _read_alone(self, _tag: str, keys: list[str]) -> list[Any]:
        strings: list[Any] = await self._client.mget(keys)
        return strings

    def _still(self, remembered: Remembered, look: Look) -> Answer | None:
        """Returns an answer that was given before, if by this look it holds."""
        return self._answer(look, remembered, "looked") if look.stamp == remembered.stamp else None

    def _from_held(self, question: Question, known: Known, held: Held, look: Look) -> Answer | None:
        """Returns the answer that is made of nodes that are held, if by this look they hold."""
        body = held.body(known, look)
        if body is None:
            return None
        made = Remembered(look.stamp, body, digest_of(body))
        self._answers.put(question, made)
        return self._answer(look, made, "looked")

    def _answer(self, look: Look, made: Remembered, how: How) -> Answer:
        head, as_of_ms = look.head, self._as_of_ms(look)
        return Answer(made.body, made.digest, as_of_ms, head.live.horizon_ms, head.gaps, how, made.stamp)

    def _live_of(self, project_id: str) -> Live:
        return self._live[stripe_of(project_id)]

    def _as_of_ms(self, look: Look) -> int:
        return min(look.as_of_ms, self._now_ms())


def _question(project_id: str, start_ms: int | None, end_ms: int | None, user_id: str | None) -> Question:
    return Question(project_id, start_ms or 0, MAX_MS + 1 if end_ms is None else end_ms, user_id)


def _named(error: Exception, project_id: str) -> Exception:
    """Returns what an error becomes where it leaves the store."""
    try:
        with _reading(project_id, _DOING):
            raise error  # noqa: TRY301 - to have it named
    except Exception as named:  # noqa: BLE001 - whatever it is
        return named


@contextmanager
def _reading(project_id: str, doing: str) -> Iterator[None]:
    """Raises StoreUnavailableError for damage of a project in its block, and for outages as `reaching` does."""
    try:
        with reaching(doing):
            yield
    except DamagedError as error:
        raise StoreUnavailableError(f"project {project_id} is damaged: {error}", "damaged") from error
