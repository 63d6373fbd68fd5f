"""Makes spans of a question: of the whole, of what Redis is asked, and of the sums. For an API that has a tracer."""

from collections.abc import Sequence
from typing import Any

from opentelemetry.trace import SpanKind, Tracer

from service.runtime.tracing import span_of
from service.store.contract import Answer, Series
from service.store.layout.keys import stripe_of
from service.store.read.answer_cache import Question
from service.store.read.bodies import Bodies, Doubts
from service.store.read.known import Known
from service.store.read.plan import Plan
from service.store.read.reader import RedisStatisticsStore
from service.store.read.view import Asked, View

_MGET = {"db.system.name": "redis", "db.operation.name": "MGET"}


class TracedStatisticsStore(RedisStatisticsStore):
    """A store that makes spans of its questions. A span names the stripe, and no project or user."""

    def __init__(self, tracer: Tracer, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._tracer = tracer
        self._bodies = _TracedBodies(tracer, self._bodies)

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

    async def _join_look(self, project_id: str) -> View:
        with span_of(self._tracer, "MGET", SpanKind.CLIENT, _MGET):
            return await super()._join_look(project_id)

    async def _look(self, project_id: str, asked: Asked, *, is_alone: bool = False) -> View:
        with span_of(self._tracer, "MGET", SpanKind.CLIENT, _MGET):
            return await super()._look(project_id, asked, is_alone=is_alone)


class _TracedBodies(Bodies):
    def __init__(self, tracer: Tracer, bodies: Bodies) -> None:
        self.__dict__.update(vars(bodies))
        self._tracer = tracer

    async def of(self, question: Question, known: Known, plan: Plan, view: View, doubts: Doubts) -> bytes | None:
        with span_of(self._tracer, "sums", attributes={"stats.nodes": len(view.nodes)}):
            return await super().of(question, known, plan, view, doubts)
