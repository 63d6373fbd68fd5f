"""Everything that lives and breaks in one life: Kafka, Redis, consumers, the API, the load and the reader."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any

import aiohttp
from pydantic import SecretStr

from deploy.local.waiting import eventually
from service.runtime.settings import ConsumerSettings, ServiceSettings
from service.store.redis.clock import system_now_ms
from tests.chaos.load import Load
from tests.chaos.reader import Reader
from tests.end_to_end.asking import SECRET, Asking
from tests.end_to_end.history import make_history
from tests.end_to_end.traffic import PARTITIONS, Event, Record
from tests.simulation.kafka.model import KafkaModel
from tests.simulation.kafka.records import Content
from tests.simulation.life.archive import Archive, content_of
from tests.simulation.life.plan import Plan
from tests.simulation.life.platform import Platform, running_platform, with_key
from tests.simulation.life.processes import API, SimulatedConsumer, SimulatedService
from tests.simulation.life.redises import CONSUMERS, SERVICE, Redises
from tests.simulation.life.series import SeriesReader
from tests.simulation.loop import SimulatedLoop
from tests.simulation.network import Network

TOPIC, LETTERS = "gene-job-events", "gene-job-events.dead-letters"
_PIECE_PAUSE_SECONDS = 0.4
_QUESTION_PAUSE_SECONDS = 0.12
_ANSWER_SECONDS = 20
_POLL_SECONDS = 0.5  # between questions until an answer is as new as it has to be in the end


@dataclass(slots=True)
class World:
    """One life: what its faults break, and what is checked."""

    plan: Plan
    loop: SimulatedLoop
    network: Network
    kafka: KafkaModel
    redis: Redises
    archive: Archive
    asking: Asking
    platform: Platform
    load: Load
    reader: Reader
    series: SeriesReader
    settings: ConsumerSettings
    of_service: ServiceSettings
    uncertain: list[Record] = field(default_factory=list)  # may be in the topic or not
    letters_made: set[tuple[int, int]] = field(default_factory=set)  # partition and offset of letters that we made up
    letters_written: list[Record] = field(default_factory=list)  # of those, as they will come back
    returned: list[Record] = field(default_factory=list)  # dead letters that a command has sent back
    drifts: list[Mapping[str, Any]] = field(default_factory=list)  # that `verify --repair` has found
    in_vain: list[str] = field(
        default_factory=list
    )  # faults that broke nothing, and commands that did not do their work
    consumers: list[SimulatedConsumer] = field(default_factory=list)
    launched: list[SimulatedConsumer] = field(default_factory=list)  # all there ever were
    service: SimulatedService | None = None
    services: list[SimulatedService] = field(default_factory=list)

    def known_events(self) -> dict[Content, Event | None]:
        """Returns the event in each record that may be in the topic, by content; None if the record is no event."""
        return {content_of(each): each.event for each in (*self.platform.sent, *self.uncertain)}

    def adapted(self, records: Iterable[Record]) -> list[Record]:
        """Returns records as the topic takes them."""
        return [with_key(record) for record in records] if self.plan.is_compacted else list(records)

    def create_topic(self) -> None:
        """Makes the topic, with as many partitions as there always are."""
        configs = {"message.timestamp.type": "LogAppendTime"}
        if self.plan.is_compacted:
            configs["cleanup.policy"] = "compact,delete"
        self.kafka.create_topic(TOPIC, PARTITIONS, min(3, self.plan.nodes), configs)

    def launch_consumer(self, lead_ms: int = 0) -> SimulatedConsumer:
        """Starts one more consumer process."""
        consumer = SimulatedConsumer(len(self.launched), self.settings, lead_ms)
        self.launched.append(consumer)
        return consumer

    def launch_service(self) -> SimulatedService:
        """Starts the API, which must not be running."""
        service = SimulatedService(self.of_service, self.network)
        self.services.append(service)
        return service

    async def api_listens(self) -> None:
        """Returns once the API takes connections."""
        await eventually(
            lambda: API in self.network.links and self.network.links[API].is_listening(), "the API listens"
        )

    @asynccontextmanager
    async def flowing(self) -> AsyncIterator[None]:
        """While the block runs records are published, and every answer is checked."""
        async with asyncio.TaskGroup() as group:
            running = self.load.run(), self.reader.run(), self.series.run()
            tasks = [group.create_task(each) for each in running]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()


@asynccontextmanager
async def living(plan: Plan, redis: Redises, network: Network) -> AsyncIterator[World]:
    """Makes the world of a plan; Redis is there already, and is empty."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, SimulatedLoop)
    rnd = Random(plan.seed)
    nodes = [(f"kafka-{number}", 9092) for number in range(plan.nodes)]
    kafka = KafkaModel(nodes, Random(rnd.getrandbits(32)), system_now_ms)
    for number, address in enumerate(nodes, 1):
        network.listen(address, partial(kafka.protocol, number), partial(kafka.listening, number))
    kafka.fetch_max_bytes = plan.fetch_max_bytes
    redis.start()
    for server, address in zip(redis.servers, redis.addresses, strict=True):
        network.listen(address, server.protocol, partial(getattr, server, "is_listening"))
    kafka.create_topic(LETTERS, 2, min(3, plan.nodes), {"max.message.bytes": "2000000"})
    bootstrap = ",".join(f"{host}:{port}" for host, port in nodes)
    common: dict[str, Any] = {"redis_cluster": plan.primaries > 1}
    settings = ConsumerSettings(
        kafka_bootstrap_servers=bootstrap,
        redis_url=redis.url(CONSUMERS),
        metrics_port=0,
        retention_days=plan.retention_days,
        **common,
    )
    of_service = ServiceSettings(redis_url=redis.url(SERVICE), jwt_secret=SecretStr(SECRET), rate_limit=0, **common)
    forgets = plan.retention_days is not None
    history = make_history(rnd, plan.jobs, bad_records=plan.jobs // 15, misnamed_records=plan.jobs // 50)
    async with AsyncExitStack() as stack:
        connector = aiohttp.UnixConnector(path=f"{API[0]}:{API[1]}", limit=0)
        timeout = aiohttp.ClientTimeout(total=_ANSWER_SECONDS)
        http = await stack.enter_async_context(aiohttp.ClientSession(connector=connector, timeout=timeout))
        asking = Asking(http, f"{API[0]}:{API[1]}", _POLL_SECONDS)
        publisher = await stack.enter_async_context(
            running_platform(bootstrap, TOPIC, rnd, plan.is_idempotent, plan.is_compacted)
        )
        load = Load(publisher, rnd, history, _PIECE_PAUSE_SECONDS)
        reader = Reader(asking.get, load.known, rnd, _QUESTION_PAUSE_SECONDS, forgets)
        series = SeriesReader(asking, load.known, Random(plan.seed ^ 0x5E21E5), forgets)
        archive = Archive(kafka, TOPIC)
        world = World(
            plan, loop, network, kafka, redis, archive, asking, publisher, load, reader, series, settings, of_service
        )
        world.create_topic()
        yield world
