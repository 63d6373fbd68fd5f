"""The store that the API reads: it answers questions and series, and says how fresh they are."""

import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from redis.asyncio import Redis, RedisCluster

from service.events.event import MAX_MS, JobStatus
from service.store.contract import Answer, Freshness, Series, Standing, StoreTotals
from service.store.errors import StoreUnavailableError
from service.store.layout.keys import STRIPES, head_key, stripe_tag, trial_key
from service.store.layout.projects import user_key
from service.store.layout.totals import Totals
from service.store.read.answer_cache import AnswerCache, Question
from service.store.read.bodies import Bodies
from service.store.read.cache_bytes import DEFAULT_CACHE_BYTES, CacheBytes
from service.store.read.known import KnownProjects
from service.store.read.learning import Learning
from service.store.read.looks import Looks
from service.store.read.node_memory import NodeMemory
from service.store.read.plan import Plan
from service.store.read.questions import Again, Questions
from service.store.read.series import SeriesReader
from service.store.read.series_plan import SeriesQuestion
from service.store.read.stragglers import ask_all
from service.store.read.totals import read_totals
from service.store.read.view import View, read_as_of_ms
from service.store.redis.clock import system_now_ms
from service.store.redis.layouts import LayoutNotes
from service.store.redis.outages import find_remedy, is_outage, reaching
from service.store.redis.shards import one_stripe_each
from service.store.redis.views import DamagedError, parse_stored_head

_DOING = "reading a project"


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
        self._now_ms = now_ms
        self._looks = self._make_looks(client, now_ms)
        self._learning = Learning(client, key_of_user, shares.ids)
        self._projects = KnownProjects(shares.projects)
        bodies = self._make_bodies(self._learning, self._projects, NodeMemory(shares.nodes), key_of_user)
        answers = AnswerCache(shares.answers)
        self._questions = Questions(self._looks, bodies, self._projects, answers, monotonic_seconds)
        self._series = SeriesReader(self._looks.alone, self._looks.live_of, self._learning, bodies, key_of_user)
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
        [head, _] = await self._looks.shared.mget(stripe_tag(stripe), [key, missing])
        try:
            self._layouts.note(parse_stored_head(stripe, head))
        except DamagedError as error:
            raise StoreUnavailableError(str(error), "damaged") from error
        await self._learning.try_rights(missing)

    async def freshness(self) -> Freshness:
        """See StatisticsStore.freshness. A damaged head counts as one without an as-of."""
        each_ms = []
        with reaching("reading as-of"):
            for as_of_ms in await ask_all(read_as_of_ms(self._looks.shared, stripe) for stripe in range(STRIPES)):
                if isinstance(as_of_ms, BaseException):
                    raise as_of_ms
                each_ms.append(as_of_ms)
        now_ms = self._now_ms()
        return Freshness(min(*each_ms, now_ms), min(max(each_ms), now_ms))

    async def totals(self) -> StoreTotals | None:
        """See StatisticsStore.totals. On a single Redis all stripes are of one instant."""
        known, is_known = Totals(), True
        with reaching("reading totals"):
            shared, generation_of = self._looks.shared, self._looks.generation_of
            reads = [read_totals(shared, stripe, generation_of(stripe)) for stripe in range(STRIPES)]
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
        question = _question(project_id, start_ms, end_ms, user_id)
        return await self._answer(question, self._questions.begin(question))

    def ask(
        self,
        project_id: str,
        start_ms: int | None,
        end_ms: int | None,
        user_id: str | None,
        tell: Callable[[Answer | Exception | None], None],
    ) -> Coroutine[Any, Any, Answer] | None:
        """See StatisticsStore.ask."""
        question = _question(project_id, start_ms, end_ms, user_id)
        begun = self._questions.begin(question)
        if isinstance(begun, Plan):
            return self._answer(question, begun)

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

        self._looks.tell(project_id, hear)
        return None

    async def series(
        self, project_id: str, borders_ms: Sequence[int], user_id: str | None, user_name: str | None
    ) -> Series:
        """See StatisticsStore.series."""
        question = SeriesQuestion(project_id, borders_ms, user_id, user_name)
        with _reading(project_id, "reading a series"):
            points = await self._series.read(question, self._projects.of(project_id))
        jobs, head = dict(zip(JobStatus, points.jobs, strict=True)), points.look.head
        return Series(jobs, points.size_bytes, self._looks.as_of_ms(points.look), head.live.horizon_ms, head.gaps)

    async def standing(self, project_id: str) -> Standing:
        """See StatisticsStore.standing. It reads the head, the claims and the project's meta, of one instant."""
        with _reading(project_id, "looking at a project"):
            # of this class: it makes no span, as it is no part of a request, and comes four times a second
            view = await Looks.joined(self._looks, project_id)
        return Standing(view.look.stamp, self._looks.as_of_ms(view.look))

    def _make_looks(self, client: Redis | RedisCluster, now_ms: Callable[[], int]) -> Looks:
        return Looks(client, now_ms)

    def _make_bodies(
        self, learning: Learning, projects: KnownProjects, memory: NodeMemory, key_of_user: Callable[[str], bytes]
    ) -> Bodies:
        return Bodies(learning, projects, memory, key_of_user)

    async def _answer(self, question: Question, begun: Again | Plan) -> Answer:
        with _reading(question.project_id, _DOING):  # the client ends each read that takes too long
            return await self._questions.answer(question, begun)


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
