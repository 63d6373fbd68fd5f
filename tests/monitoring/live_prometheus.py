"""A real Prometheus with the rules and the jobs of deploy/prometheus, over the addresses of a stack."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from deploy.local.process import start_child
from deploy.local.servers import free_port
from deploy.local.waiting import eventually
from tests.monitoring.rules import RULES_FILE

_DATA_SECONDS = 90  # the scrub's first pass begins half a minute after a consumer's start


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A Prometheus that scrapes."""

    port: int
    http: aiohttp.ClientSession

    async def get(self, path: str, **parameters: str) -> Any:
        """The data of an answer of its API."""
        async with self.http.get(f"http://127.0.0.1:{self.port}/api/v1/{path}", params=parameters) as response:
            document = await response.json()
        assert document["status"] == "success", document
        return document["data"]

    async def series(self, expression: str) -> list[dict[str, Any]]:
        """What a query gives now."""
        data = await self.get("query", query=expression)
        found: list[dict[str, Any]] = data["result"]
        return found

    async def wait_for(self, expression: str) -> None:
        """Returns once a query gives something."""

        async def has_data() -> bool:
            return bool(await self.series(expression))

        await eventually(has_data, f"data for {expression}", _DATA_SECONDS)

    async def is_up(self) -> bool:
        """Whether all targets are."""
        targets = (await self.get("targets"))["activeTargets"]
        return bool(targets) and all(target["health"] == "up" for target in targets)

    async def has_evaluated(self) -> bool:
        """Whether all rules have been evaluated, and none badly."""
        rules = [rule for group in (await self.get("rules"))["groups"] for rule in group["rules"]]
        assert all(rule["health"] in {"ok", "unknown"} for rule in rules), rules
        return bool(rules) and all(rule["health"] == "ok" for rule in rules)


@asynccontextmanager
async def run_prometheus(program: str, folder: Path, ports: dict[str, int]) -> AsyncIterator[Prometheus]:
    """Starts it with the configuration that is shipped, but for addresses (`ports` by job) and how often it scrapes."""
    configuration = yaml.safe_load(RULES_FILE.with_name("prometheus.yml").read_text())
    configuration["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    configuration["rule_files"] = [str(RULES_FILE)]
    for job in configuration["scrape_configs"]:
        del job["dns_sd_configs"]
        job["static_configs"] = [{"targets": [f"127.0.0.1:{ports[job['job_name']]}"]}]
    path, port = folder / "prometheus.json", free_port()
    path.write_text(json.dumps(configuration))
    options = (f"--config.file={path}", f"--storage.tsdb.path={folder / 'data'}", "--log.level=warn")
    child = start_child("Prometheus", [program, *options, f"--web.listen-address=127.0.0.1:{port}"], {}, folder / "log")
    try:
        async with aiohttp.ClientSession() as http:
            prometheus = Prometheus(port, http)

            async def is_up() -> bool:
                child.check()
                try:
                    return await prometheus.is_up() and await prometheus.has_evaluated()
                except aiohttp.ClientError:  # it does not listen yet, or says 503 as it starts
                    return False

            await eventually(is_up, "all targets are up, and all rules evaluated", within_seconds=60)
            yield prometheus
    finally:
        child.stop()
