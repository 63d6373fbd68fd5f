"""The running service: its processes, and questions to it over HTTP."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from deploy.local.process import Child, is_ready, wait_until
from deploy.local.servers import free_port
from tests.end_to_end.asking import SECRET, Asking
from tests.servers import Processes


@dataclass(frozen=True, slots=True)
class RunningConsumer:
    """A consumer process."""

    child: Child
    metrics_port: int

    def log_lines(self, message: str) -> list[dict[str, Any]]:
        """The lines of its log with this message."""
        lines = [json.loads(line) for line in self.child.log_path.read_text().splitlines()]
        return [line for line in lines if line["message"] == message]


class System(Asking):
    """One topic, one Redis, and the processes between them."""

    def __init__(
        self,
        processes: Processes,
        environment: dict[str, str],
        http: aiohttp.ClientSession,
        of_service: Mapping[str, str] | None = None,
    ) -> None:
        """`of_service` are settings that the API has in the place of the consumers'."""
        super().__init__(http)
        self._processes = processes
        self._environment = environment
        self._of_service = of_service or {}
        self.api_port = 0

    async def start_consumer(self, group: str = "group", **changes: str) -> RunningConsumer:
        """A consumer with partitions; see `launch_consumer`."""
        consumer = self.launch_consumer(group, **changes)
        # In a thread: what the process waits for may be served by this loop.
        await asyncio.to_thread(wait_until, consumer.child, lambda: is_ready(consumer.metrics_port), "get ready")
        return consumer

    def launch_consumer(self, group: str = "group", module: str = "consumers", **changes: str) -> RunningConsumer:
        """A consumer that begins; the group's name is of this system alone, `changes` are other settings.

        `module` is what runs in its process.
        """
        port = free_port()
        environment = {
            **self._environment,
            "STATS_METRICS_PORT": str(port),
            "STATS_KAFKA_GROUP_ID": f"{group} of {self._environment['STATS_KAFKA_TOPIC']}",
            **changes,
        }
        return RunningConsumer(self._processes.start(module, environment), port)

    async def start_service(self, **changes: str) -> Child:
        """The API that is asked from now on; `changes` are other settings."""
        self.api_port = port = free_port()
        self.address = f"127.0.0.1:{port}"
        environment = {
            **self._environment,
            **self._of_service,
            "STATS_HTTP_PORT": str(port),
            "STATS_JWT_SECRET": SECRET,
            "STATS_RATE_LIMIT": "0",
            **changes,
        }
        return await self._processes.start_ready("service", environment, port)

    async def records_read(self, consumer: RunningConsumer) -> int:
        """How many records this process says it has applied."""
        async with self._http.get(f"http://127.0.0.1:{consumer.metrics_port}/metrics") as response:
            families = list(text_string_to_metric_families(await response.text()))
        values = {sample.name: sample.value for family in families for sample in family.samples}
        return int(values["stats_consumer_records_total"])
