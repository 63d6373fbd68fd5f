"""Makes spans of a question: of the whole, of what Redis is asked, and of the sums. For an API that has a tracer."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from opentelemetry.trace import Span, SpanKind, Tracer
from redis.asyncio import Redis, RedisCluster

from service.runtime.tracing import span_of
from service.store.contract import Answer, Series
from service.store.layout.keys import stripe_of
from service.store.read.answer_cache import Question
from service.store.read.bodies import Bodies, Doubts
from service.store.read.held import Held
from service.store.read.known import Known
from service.store.read.looks import Looks
from service.store.read.plan import Plan
from service.store.read.reader import RedisStatisticsStore
from service.store.read.view import Asked, Look, View

_MGET = {"db.system.name": "redis", "db.operation.name": "MGET"}


class TracedStatisticsStore(RedisStatisticsStore):
    """A store that makes spans of its questions. A span names the stripe, and no project or user."""

    def __init__(self, tracer: Tracer, *args: Any, **options: Any) -> None:
        self._tracer = tracer
        super().__init__(*args, **options)

    async def read(self, project_id: str, start_ms: int | None, end_ms: int | None, user_id: str | None) -> Answer:
        """See StatisticsStore.read."""
        with span_of(self._tracer, "read", attributes={"stats.stripe": stripe_of(project_id)}):
            return await super().read(project_id, start_ms, end_ms, user_id)

    async def series(
        self, project_id: str, borders_ms: Sequence[int], user_id: str | None, user_name: str | None
    ) -> Series:
        """See StatisticsStore.series."""
        with span_of(self._tracer, "series", attributes={"stats.stripe": stripe_of(project_id)}):
            return await super().series(project_id, borders_ms, user_id, user_name)

    def _make_looks(self, client: Redis | RedisCluster, now_ms: Callable[[], int]) -> Looks:
        return _TracedLooks(self._tracer, client, now_ms)

    def _make_bodies(self, *parts: Any) -> Bodies:
        return _TracedBodies(self._tracer, *parts)


class _TracedLooks(Looks):
    def __init__(self, tracer: Tracer, client: Redis | RedisCluster, now_ms: Callable[[], int]) -> None:
        super().__init__(client, now_ms)
        self._tracer = tracer

    async def at(self, project_id: str, asked: Asked) -> View:
        with self._span():
            return await super().at(project_id, asked)

    async def alone(self, project_id: str, asked: Asked) -> View:
        with self._span():
            return await super().alone(project_id, asked)

    async def joined(self, project_id: str) -> View:
        with self._span():
            return await super().joined(project_id)

    def _span(self) -> AbstractContextManager[Span]:
        return span_of(self._tracer, "MGET", SpanKind.CLIENT, _MGET)


class _TracedBodies(Bodies):
    def __init__(self, tracer: Tracer, *parts: Any) -> None:
        super().__init__(*parts)
        self._tracer = tracer

    def of_held(self, known: Known, held: Held, look: Look) -> bytes | None:
        with self._span(len(held.nodes)):
            return super().of_held(known, held, look)

    async def of(self, question: Question, known: Known, plan: Plan, view: View, doubts: Doubts) -> bytes | None:
        with self._span(len(view.nodes)):
            return await super().of(question, known, plan, view, doubts)

    def _span(self, nodes: int) -> AbstractContextManager[Span]:
        return span_of(self._tracer, "sums", attributes={"stats.nodes": nodes})
