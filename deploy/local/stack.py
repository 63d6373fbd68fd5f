"""Starts the stack's processes in their order, loads the history, and watches the processes until told to stop."""

import asyncio
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from typing import NoReturn

from deploy.local.history import HistoryWatch
from deploy.local.plan import (
    DEAD_LETTER_TOPIC,
    PARTITIONS,
    PREFERRED_PORTS,
    TOPIC,
    Folder,
    Ports,
)
from deploy.local.process import Child, is_ready, start_child, wait_until
from deploy.local.report import Report
from deploy.local.servers import create_topics, find_broker, find_redis, start_broker, start_redis

WATCH_SECONDS = 0.2


class LocalStack:
    """Runs the stack; leaving `running` stops its children, the last one started first."""

    def __init__(
        self, folder: Folder, ports: Ports, environment: Mapping[str, str], report: Report, running: ExitStack
    ) -> None:
        self._folder = folder
        self._ports = ports
        self._environment = environment
        self._report = report
        self._running = running
        self._children: list[Child] = []

    def start(self, tokens: Mapping[str, str]) -> None:
        """Starts everything, and returns once the history is counted; `tokens` has an administrator's for each project.

        Raises ChildFailedError or MissingServerError.
        """
        self._start_servers()
        consumer = self._start_module("consumer", "consumers", self._ports.metrics)
        api = self._start_module("API", "service", self._ports.api)
        self._load_history(HistoryWatch(api, self._ports.api, consumer, self._folder.progress, tokens))

    def watch(self) -> NoReturn:
        """Checks the children again and again. Raises ChildFailedError when one ends."""
        while True:
            self._check_children()
            time.sleep(WATCH_SECONDS)

    def _start_servers(self) -> None:
        folder, ports = self._folder, self._ports
        for name, preferred in vars(PREFERRED_PORTS).items():
            if vars(ports)[name] != preferred:
                self._report.step(f"port {preferred} is taken: {name} gets {vars(ports)[name]}")
        self._report.step(f"starting the broker on {ports.bootstrap_servers}")
        self._keep(start_broker(find_broker(folder.home), ports.kafka, folder.log("broker")))
        asyncio.run(create_topics(ports.bootstrap_servers, {TOPIC: PARTITIONS, DEAD_LETTER_TOPIC: 1}))
        if folder.redis.exists():
            # Its jobs and offsets are of a topic that ended with the broker of the last run.
            self._report.step("the broker keeps its topics in memory only, so the counters start anew as well")
            shutil.rmtree(folder.redis)
        self._report.step(f"starting Redis on 127.0.0.1:{ports.redis}")
        options = ("--appendonly", "yes")
        self._keep(start_redis(find_redis(), ports.redis, folder.redis, folder.log("redis"), options))

    def _start_module(self, name: str, module: str, port: int) -> Child:
        self._report.step(f"starting the {name} on http://127.0.0.1:{port}")
        command = [sys.executable, "-m", module]
        child = self._keep(start_child(name, command, self._environment, self._folder.log(name.lower())))
        wait_until(child, partial(is_ready, port), "get ready")
        return child

    def _load_history(self, watch: HistoryWatch) -> None:
        self._report.step("publishing months of sample traffic")
        command = [sys.executable, "-m", "deploy.traffic"]
        log_path = self._folder.log("traffic")
        with self._folder.progress.open("wb") as output:
            traffic = start_child("traffic", command, self._environment, log_path, stdin=subprocess.PIPE, stdout=output)
        self._keep(traffic)
        with self._report.loading() as loading:
            watch.follow(self._check_children, loading.show)
        traffic.close_input()  # the answers are right: the traffic goes on live

    def _keep(self, child: Child) -> Child:
        self._running.callback(child.stop)
        self._children.append(child)
        return child

    def _check_children(self) -> None:
        for child in self._children:
            child.check()
