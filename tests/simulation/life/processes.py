"""The processes of the service in a simulation, all of the real code: consumers, the API, and commands."""

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any

from aiohttp import web

from consumers.__main__ import run as run_consumer
from service.api.app import create_app
from service.api.rate_limit import RateLimit, RateLimiter
from service.auth.factory import create_authenticator
from service.http.aiohttp_private import Connection, ConnectionPolicy
from service.http.metrics import METRICS
from service.http.server import SHORTCUT, STOPPING
from service.runtime.metrics import create_registry
from service.runtime.settings import ConsumerSettings, ServiceSettings
from service.store.layout.heads import LAYOUT_VERSION
from service.store.read.client import create_reader_store
from service.store.redis.clock import system_now_ms
from tests.simulation.network import Network
from tests.simulation.process import Process

API = ("api", 8080)


class SimulatedConsumer:
    """A consumer process. `lead_ms` is how far the clock of its machine is ahead."""

    def __init__(self, number: int, settings: ConsumerSettings, lead_ms: int = 0) -> None:
        self.process = Process(f"consumer-{number}")
        self._task = self.process.spawn(run_consumer(settings, lambda: system_now_ms() + lead_ms))

    def stop(self) -> None:
        """Sends it SIGTERM."""
        self.process.terminate()

    async def stopped(self) -> None:
        """Returns once it has ended, with status 0 unless it was killed."""
        if not self.process.is_dead:
            status = await self._task
            assert status == 0, f"{self.process.name} ended with status {status}"


class SimulatedService:
    """A process of the API, which listens at API."""

    def __init__(self, settings: ServiceSettings, network: Network) -> None:
        self.process = Process("api")
        self._stop = asyncio.Event()
        self._task = self.process.spawn(self._serve(settings, network))

    async def _serve(self, settings: ServiceSettings, network: Network) -> None:
        registry = create_registry(LAYOUT_VERSION)
        async with AsyncExitStack() as stack:
            authenticator = await stack.enter_async_context(create_authenticator(settings))
            store = await stack.enter_async_context(create_reader_store(settings.redis_url, settings.redis_cluster))
            app = create_app(store, authenticator, RateLimiter(RateLimit(0)), registry, _give_up)
            stopping = app[STOPPING] = asyncio.Event()
            runner = web.AppRunner(app)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            server = runner.server
            assert server is not None

            def connect() -> Connection:
                return Connection(server, app[METRICS], ConnectionPolicy(), stopping, _lost, shortcut=app[SHORTCUT])

            network.listen(API, connect, lambda: not (self._stop.is_set() or self.process.is_dead), self.process)
            await self._stop.wait()
            stopping.set()

    async def stop(self) -> None:
        """Ends it in order."""
        self._stop.set()
        await self._task


def _give_up(error: Exception) -> None:
    raise AssertionError(f"the API gives up: {error}")


def _lost() -> None: ...


class Command:
    """An operator's command in a process of its own."""

    def __init__(self, name: str, work: Coroutine[Any, Any, Any]) -> None:
        self.process = Process(name)
        self.task = self.process.spawn(work)
