"""compose.yaml, started for real: healthy, without rights, exact answers, targets of Prometheus, and nothing left."""

import asyncio
import json
import os
import sys
from collections.abc import Iterator

import pytest

from deploy.kafka.jars import KafkaProgram
from deploy.local.waiting import eventually
from deploy.traffic.population import PROJECTS
from tests.shipped.compose import NAME, Compose, build_servers, choose
from tests.shipped.engine import Engine
from tests.shipped.images import PROJECT

pytestmark = pytest.mark.timeout(600)  # images are built first
PROJECT_ID = PROJECTS[0].project_id
READ_ONLY = ("api", "consumer", "redis", "prometheus")


@pytest.fixture(scope="module")
def compose(engine: Engine, image: str, kafka_program: KafkaProgram) -> Iterator[Compose]:
    """Everything that compose.yaml has, up and healthy."""
    build_servers(engine, kafka_program.jars)
    started = choose(engine)
    try:
        started.up()
        yield started
    finally:
        started.run("--profile=*", "down", "--volumes", "--timeout=5")


@pytest.mark.parametrize("service", [*READ_ONLY, "kafka"])
def test_it_has_no_more_than_it_needs(compose: Compose, service: str) -> None:
    """Each container is healthy, has no capability, bounds on memory and processes; most write to volumes alone."""
    (container,) = compose.containers(service)
    known = compose.engine.inspect(container)
    assert known["State"]["Health"]["Status"] == "healthy"
    given = known["HostConfig"]
    assert given["CapDrop"] == ["ALL"]
    assert given["SecurityOpt"] == ["no-new-privileges:true"]
    assert given["Memory"] > 0
    assert given["PidsLimit"] > 0
    assert given["ReadonlyRootfs"] == (service in READ_ONLY)
    for published in given["PortBindings"].values():
        assert [binding["HostIp"] for binding in published] == ["127.0.0.1"]


async def test_what_is_published_is_counted(compose: Compose) -> None:
    """Each project's totals are those that its events have, recounted; a user's token shows that user's jobs alone."""
    async with compose.history() as totals:
        assert PROJECT_ID in totals
        for project_id, expected in totals.items():
            token = compose.sign(project_id)

            def is_counted(project_id: str = project_id, token: str = token, expected: object = expected) -> bool:
                answer = compose.statistics(project_id, token)
                return {name: answer[name] for name in answer if name.startswith("total_")} == expected

            await eventually(is_counted, f"the totals of {project_id} are {expected}", 120)
        assert compose.statistics(PROJECT_ID, compose.run("run", "--rm", "token"))["users"]
        user = PROJECTS[0].users[0]
        answer = compose.statistics(PROJECT_ID, compose.run("run", "--rm", "token", "--user", user.user_id))
        assert "users" not in answer
        assert answer["total_user_num"] == 1


def test_a_command_of_an_operator(compose: Compose) -> None:
    """The counters are what the job records say."""
    verified = json.loads(compose.run("exec", "--no-TTY", "consumer", "gene-statistics-consumer", "verify", "--json"))
    assert verified


async def test_prometheus_scrapes_both_processes_with_the_rules(compose: Compose) -> None:
    """Its targets are up, and it evaluates the rules."""

    def health() -> dict[str, set[str]]:
        health: dict[str, set[str]] = {}
        for target in compose.prometheus("targets")["activeTargets"]:
            health.setdefault(target["labels"]["job"], set()).add(target["health"])
        return health

    await eventually(lambda: health() == {"stats-api": {"up"}, "stats-consumer": {"up"}}, "both are scraped", 120)
    rules = [rule for group in compose.prometheus("rules")["groups"] for rule in group["rules"]]
    assert any(rule["type"] == "alerting" for rule in rules)
    assert [rule["name"] for rule in rules if rule["health"] == "err"] == []


async def test_three_consumers_and_a_producer_outside(compose: Compose) -> None:
    """Partitions are shared out, and events come from a program on this machine that then finds them counted."""
    compose.up("--scale", "consumer=3")
    states = [compose.engine.inspect(container)["State"] for container in compose.containers("consumer")]
    assert [state["Health"]["Status"] for state in states] == ["healthy"] * 3
    example = await asyncio.create_subprocess_exec(
        *(sys.executable, "examples/publish_and_ask.py", f"localhost:{compose.kafka_port}"),
        *(f"http://127.0.0.1:{compose.api_port}", "example"),
        env={**os.environ, "TOKEN": compose.run("run", "--rm", "token", "example")},
        cwd=PROJECT,
    )
    async with asyncio.timeout(100):
        assert await example.wait() == 0


def test_processes_end_in_order(compose: Compose) -> None:
    """Each takes the signal to stop, and ends with 0 before it would be killed."""
    compose.run("stop", "api", "consumer")
    ended = [*compose.containers("api"), *compose.containers("consumer"), *compose.containers("topics")]
    assert {compose.engine.inspect(container)["State"]["ExitCode"] for container in ended} == {0}


def test_down_leaves_nothing(compose: Compose) -> None:
    """No container, network or volume of it remains, and no sample traffic: the words are those of the README."""
    compose.up("--no-deps", "traffic")
    compose.run("--profile=traffic", "down", "--volumes", "--timeout=5")
    of_it = f"label=com.docker.compose.project={NAME}"
    for kind in (["ps", "--all"], ["network", "ls"], ["volume", "ls"]):
        assert compose.engine.docker(*kind, "--quiet", "--filter", of_it) == ""
