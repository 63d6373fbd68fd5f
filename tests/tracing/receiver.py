"""A receiver of traces, as a collector has one: OTLP over HTTP, with protobuf."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from deploy.local.waiting import eventually


@dataclass(slots=True)
class Receiver:
    """Keeps the spans that were sent to it. While `gate` is not set it takes requests, and answers none."""

    spans: list[Span] = field(default_factory=list)
    services: set[str] = field(default_factory=set)
    endpoint: str = ""
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, request: web.Request) -> web.Response:
        """Takes one export."""
        sent = ExportTraceServiceRequest.FromString(await request.read())
        await self.gate.wait()
        for resource in sent.resource_spans:
            self.services |= {str(texts_of(resource.resource)["service.name"])}
            for scope in resource.scope_spans:
                self.spans += scope.spans
        return web.Response(content_type="application/x-protobuf")

    def named(self, name: str) -> list[Span]:
        """The spans with this name."""
        return [span for span in self.spans if span.name == name]

    def children_of(self, parent: Span) -> list[Span]:
        """The spans below one, in the order in which they began."""
        return sorted(
            (span for span in self.spans if span.parent_span_id == parent.span_id),
            key=lambda span: span.start_time_unix_nano,
        )

    async def wait_for(self, are_there: Callable[[], bool | Sequence[Span]], what: str) -> None:
        """Waits until spans have come."""

        async def is_so() -> bool:
            return bool(are_there())

        await eventually(is_so, f"{what} among {sorted({span.name for span in self.spans})}")


def texts_of(described: Any) -> dict[str, str | int]:
    """The attributes of a span, a link, an event or a resource, those that are texts or whole numbers."""
    return {each.key: each.value.string_value or each.value.int_value for each in described.attributes}


@asynccontextmanager
async def receiving(path: str = "/v1/traces") -> AsyncIterator[Receiver]:
    """A receiver on a free port."""
    receiver = Receiver()
    receiver.gate.set()
    application = web.Application(client_max_size=64 * 1024 * 1024)
    application.router.add_post(path, receiver.take)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        receiver.endpoint = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield receiver
    finally:
        receiver.gate.set()
        await runner.cleanup()
