"""The program `python -m service`: it serves the HTTP API over the store in Redis until SIGTERM or SIGINT."""

import os

from service.runtime.early import begin, stop_on_signals

if __name__ == "__main__":
    begin(lambda _: 0)  # before the imports below, which take most of a second
# numpy's library would start a thread for each core, which spin for a while after each product, whoever else needs them
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import asyncio
import logging
import resource
import sys
from contextlib import AsyncExitStack, suppress

from opentelemetry.trace import Tracer

from service.api.app import create_app
from service.api.rate_limit import RateLimit, RateLimiter
from service.auth.caller import Authenticator
from service.auth.factory import create_authenticator
from service.auth.metrics import IdentityMetrics
from service.auth.traced import TracedAuthenticator
from service.http.policy import create_policy
from service.http.server import serving
from service.runtime import log
from service.runtime.garbage import look_rarely
from service.runtime.metrics import create_registry
from service.runtime.settings import ServiceSettings, SettingsError, load
from service.runtime.tracing import ids_of_trace, tracing
from service.store.errors import LayoutError, StoreDeniedError, StoreUnavailableError
from service.store.layout.heads import LAYOUT_VERSION
from service.store.read.client import create_reader_store
from service.store.read.metrics import QueryMetrics

_log = logging.getLogger("service")
EXIT_LISTEN, EXIT_SETTINGS, EXIT_LAYOUT = 1, 2, 3
_OPEN_FILES = 65536


_USAGE = "usage: python -m service    (no arguments: settings are environment variables, STATS_...; --help says more)"
_HELP = f"""\
{_USAGE}

Serves the HTTP API over the statistics in Redis until SIGTERM or SIGINT. The README has all settings and exit codes.
Consumers, and the commands of an operator, are `python -m consumers`."""


def main() -> int:
    """Loads the settings and runs the API; returns the exit status. Blocks until the API has ended."""
    match sys.argv[1:]:
        case []:
            pass
        case ["--help" | "-h"]:
            with suppress(BrokenPipeError):  # a reader that has seen enough, as `head`
                print(_HELP, flush=True)  # noqa: T201 - what was asked for
            return 0
        case _:
            log.say(_USAGE)
            return EXIT_SETTINGS
    try:
        settings = load(ServiceSettings)
        log.configure(settings.log_level, ids_of_trace)
        log.take_strays()
        _allow_open_files()
        with tracing(settings.otlp_endpoint, "gene-statistics-api") as tracer:
            return asyncio.run(run(settings, tracer))
    except SettingsError as error:
        log.say(*error.lines)
        return EXIT_SETTINGS


async def run(settings: ServiceSettings, tracer: Tracer | None = None) -> int:
    """Serves the API until a signal comes; returns the exit status, raises SettingsError. `main` runs it."""
    stop, hurry = asyncio.Event(), asyncio.Event()

    def end(_: int) -> None:  # a second signal ends the drain, and soon what follows it
        (hurry if stop.is_set() else stop).set()

    registry = create_registry(LAYOUT_VERSION)
    async with AsyncExitStack() as stack:
        authenticator: Authenticator = await stack.enter_async_context(
            create_authenticator(settings, IdentityMetrics(registry))
        )
        store = await stack.enter_async_context(
            create_reader_store(
                settings.redis_url,
                settings.redis_cluster,
                cafile=settings.redis_cafile,
                key_prefix=settings.redis_key_prefix,
                metrics=QueryMetrics(registry),
                tracer=tracer,
                cache_bytes=settings.cache_mib * 1024 * 1024,
            )
        )
        if tracer is not None:
            authenticator = TracedAuthenticator(authenticator, tracer)
        try:
            await store.ping()
        except LayoutError as error:
            _log.critical("STATS_REDIS_URL: %s", error)
            return EXIT_LAYOUT
        except StoreDeniedError as error:
            _log.error("Redis denies us access, requests get 503 until that is mended: %s", error)
        except StoreUnavailableError as error:
            _log.error("Redis is away, requests get 503 until it answers: %s", error)
        limiter = RateLimiter(RateLimit(settings.rate_limit))
        misfits: list[LayoutError] = []

        def give_up(error: LayoutError) -> None:
            misfits.append(error)
            stop.set()

        stop_on_signals(asyncio.get_running_loop(), end)
        app = create_app(
            store, authenticator, limiter, registry, give_up, policy=create_policy(settings), tracer=tracer
        )
        try:
            server = serving(
                app,
                settings.http_host,
                settings.http_port,
                is_shared=settings.http_reuse_port,
                own_port=settings.http_own_port,
                drain_seconds=settings.http_drain_seconds,
                hurry=hurry,
            )
            port = await stack.enter_async_context(server)
        except OSError as error:
            _log.critical("STATS_HTTP_HOST, STATS_HTTP_PORT, STATS_HTTP_OWN_PORT: cannot listen there: %s", error)
            return EXIT_LISTEN
        look_rarely(50_000, 20)  # a large answer is many objects: the collector would take longer than the answer
        _log.info("listening", extra={"host": settings.http_host, "port": port})
        await stop.wait()
        _log.info("stopping")
        if misfits:
            _log.critical("STATS_REDIS_URL: %s", misfits[0])
            return EXIT_LAYOUT
    return 0


def _allow_open_files() -> None:
    """Raises this process' limit of open files: it may have more connections than the usual soft limit, 1024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


if __name__ == "__main__":
    sys.exit(main())
