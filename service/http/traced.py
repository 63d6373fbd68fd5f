"""Makes a span of each request, in the trace of its caller. The API has it only if there is a tracer."""

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from opentelemetry.context import Context
from opentelemetry.trace import SpanKind, Tracer, get_current_span

from service.http.correlation import trace_of
from service.http.metrics import METHODS, UNKNOWN_ROUTE
from service.http.middleware import route_of
from service.runtime.tracing import TRACEPARENT, TRACESTATE, context_of, fail

UNTRACED = frozenset({"/healthz", "/readyz", "/metrics"})  # what asks for them all the time is no traffic


def trace_requests(tracer: Tracer, prefix: str) -> Middleware:
    """Returns the middleware that goes before all others.

    Neither path nor query is in a span, as a caller writes them; the route is.
    """

    @web.middleware
    async def trace(request: web.Request, handler: Handler) -> web.StreamResponse:
        route = route_of(request, prefix)
        if route in UNTRACED:
            return await handler(request)
        method = request.method if request.method in METHODS else "_OTHER"
        attributes = {"http.request.method": method, "url.scheme": request.scheme}
        name = "HTTP" if method == "_OTHER" else method
        if route != UNKNOWN_ROUTE:
            attributes["http.route"] = route
            name = f"{name} {route}"
        with tracer.start_as_current_span(
            name, _context(request), SpanKind.SERVER, attributes, record_exception=False, set_status_on_exception=False
        ) as span:
            response = await handler(request)
            span.set_attribute("http.response.status_code", response.status)
            if response.status >= 500:
                fail(span, str(response.status))
            return response

    return trace


def _context(request: web.Request) -> Context | None:
    """Returns the caller's context; None, which is the current one, where an agent has begun a span already."""
    if get_current_span().get_span_context().is_valid:
        return None
    parents = request.headers.getall(TRACEPARENT, [])
    if not trace_of(parents):
        return Context()
    return context_of(parents[0], ",".join(request.headers.getall(TRACESTATE, [])))
