"""The local stack: its pieces on real processes, then all of it as a user starts and stops it."""

import http.client
import json
import os
import select
import shlex
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jwt
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from redis import Redis
from redis.exceptions import ResponseError

from deploy.local.history import differences
from deploy.local.plan import Ports, settings
from deploy.local.process import Child, ChildFailedError, start_child, wait_ready
from deploy.local.servers import MissingServerError, free_port
from deploy.local.tokens import TOKEN_LIFE_SECONDS, load_secret, sign_token
from tests.conftest import MakeTopic

SLEEPER = "import time; print('awake', flush=True); time.sleep(600)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEPER}"
PARENT = """
import os, sys, pathlib
from deploy.local.process import start_child
child = start_child("child", [sys.executable, "-c", sys.argv[1]], os.environ, pathlib.Path(sys.argv[2]))
print(child.process.pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def log_path(tmp_path: Path) -> Path:
    return tmp_path / "child.log"


def start_awake(code: str, log_path: Path) -> Child:
    """A Python child that has said "awake" in its log."""
    child = start_child("sleeper", [sys.executable, "-c", code], os.environ, log_path)
    return wait_ready(child, lambda: "awake" in log_path.read_text(), "wake up")


def test_a_child_that_ends_is_named_with_its_log(log_path: Path) -> None:
    """The error names the child, its exit code and the last lines it wrote."""
    child = start_child("mayfly", [sys.executable, "-c", "import sys; sys.exit('no air')"], os.environ, log_path)
    with pytest.raises(ChildFailedError, match=r"(?s)mayfly has ended by itself \(exit code 1\).*no air"):
        wait_ready(child, lambda: False, "fly")


def test_a_child_that_does_not_get_ready_is_stopped(log_path: Path) -> None:
    """Waiting is bounded, its error says for what, and the child does not stay behind."""
    child = start_awake(SLEEPER, log_path)
    with pytest.raises(ChildFailedError, match="sleeper did not sing within 0 s"):
        wait_ready(child, lambda: False, "sing", timeout_seconds=0)
    assert child.process.returncode == -signal.SIGTERM


def test_a_child_that_ignores_the_request_to_end_is_killed(log_path: Path) -> None:
    """Stopping ends a child that ignores SIGTERM."""
    child = start_awake(STUBBORN, log_path)
    child.stop(patience_seconds=0.1)
    assert child.process.returncode == -signal.SIGKILL


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_a_child_ends_with_its_parent(log_path: Path) -> None:
    """A parent that is killed hard leaves no child behind."""
    command = [sys.executable, "-c", PARENT, SLEEPER, str(log_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:  # noqa: S603 - our own
        assert parent.stdout is not None
        child = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
    try:
        assert has_ended(child)
    finally:
        os.close(child)


def has_ended(pidfd: int, timeout_seconds: float = 30) -> bool:
    """Whether the process behind the descriptor ends in time."""
    return bool(select.select([pidfd], [], [], timeout_seconds)[0])


def test_a_taken_port_is_passed_over() -> None:
    """The next free port is chosen if the preferred one is taken, also by a server for all addresses."""
    with socket.create_server(("", 0)) as server:
        taken = server.getsockname()[1]
        assert taken < free_port(taken) < taken + 100


def test_no_free_port_is_an_error() -> None:
    """If no port of the range is free the error names the range."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        with pytest.raises(MissingServerError, match=f"no free port from {taken} to {taken}"):
            free_port(taken, to_try=1)


def test_the_secret_is_kept_and_private(tmp_path: Path) -> None:
    """The secret is made once, is long enough for HS256, and is readable by its owner alone."""
    path = tmp_path / "secret"
    secret = load_secret(path)
    assert load_secret(path) == secret
    assert len(secret) >= 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_secret(tmp_path / "other") != secret


def test_tokens_have_the_claims() -> None:
    """A token says who, in which project, with which role, and until when."""
    token = sign_token("s" * 32, user_id="u", name="n", project_id="p", role="te_user", now_seconds=2_000_000_000)
    claims = jwt.decode(token, "s" * 32, algorithms=["HS256"])
    expires = 2_000_000_000 + TOKEN_LIFE_SECONDS
    assert claims == {"sub": "u", "name": "n", "project_id": "p", "roles": ["te_user"], "exp": expires}


def test_only_some_settings_are_inherited() -> None:
    """A caller's STATS_ variables do not reach the children, except those that are safe to choose."""
    inherited = {"PATH": "/bin", "STATS_LOG_LEVEL": "DEBUG", "STATS_REDIS_CLUSTER": "true", "STATS_AUTH": "keystone"}
    environment = settings(Ports(1, 2, 3, 4), "secret", inherited)
    assert environment["PATH"] == "/bin"
    assert environment["STATS_LOG_LEVEL"] == "DEBUG"
    assert environment["STATS_AUTH"] == "jwt"
    assert environment["STATS_KAFKA_BOOTSTRAP_SERVERS"] == "127.0.0.1:1"
    assert "STATS_REDIS_CLUSTER" not in environment


def test_differences_name_project_and_number() -> None:
    """A wrong number of an answer is named with what it should be; right answers have no difference."""
    expected = {"p": {"total_user_num": 2, "total_failed_num": 1}}
    assert differences(expected, expected) == []
    wrong = {"p": {"total_user_num": 2, "total_failed_num": 0}}
    assert differences(expected, wrong) == ["project p: total_failed_num is 0, expected 1"]


async def test_the_brokers_topics_hold_what_is_sent(kafka_bootstrap: str, make_topic: MakeTopic) -> None:
    """A topic has the partitions asked for, and gives back what was published to each."""
    topic = await make_topic(partitions=3)
    async with AIOKafkaProducer(
        bootstrap_servers=kafka_bootstrap, enable_idempotence=False, compression_type="lz4"
    ) as producer:
        assert await producer.partitions_for(topic) == {0, 1, 2}
        for partition in range(3):
            await producer.send_and_wait(topic, f"value {partition}".encode(), partition=partition)
    values = set()
    async with AIOKafkaConsumer(topic, bootstrap_servers=kafka_bootstrap, auto_offset_reset="earliest") as consumer:
        for _ in range(3):
            values.add((await consumer.getone()).value)
    assert values == {b"value 0", b"value 1", b"value 2"}


def test_the_one_node_cluster_serves_every_slot(redis_cluster_url: str) -> None:
    """The cluster takes keys of any slot, and refuses a command across slots as clusters do."""
    with Redis.from_url(redis_cluster_url) as client:
        for number in range(100):
            assert client.set(f"key {number}", number)
        with pytest.raises(ResponseError, match="same slot"):
            client.mget("key 1", "key 2")
        client.flushall()


def test_each_test_finds_redis_empty(redis_flushed: str) -> None:
    """The flushed Redis has no key."""
    with Redis.from_url(redis_flushed) as client:
        assert client.dbsize() == 0


@pytest.fixture
def local_stack(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """`python -m deploy.local` in an empty folder; interrupted in the end if it still runs."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [sys.executable, "-m", "deploy.local"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as stack:
        yield stack
        if stack.poll() is None:
            stack.send_signal(signal.SIGINT)


@pytest.mark.whole_stack
@pytest.mark.timeout(240)
def test_the_local_stack_answers_and_stops_cleanly(local_stack: "subprocess.Popen[str]", tmp_path: Path) -> None:
    """It prints two requests that work as they stand, one for an administrator and one for a user, the console's links
    for both, and a command; the counters go on with live traffic; Ctrl-C ends it with code 0 and leaves no process and
    no other file."""
    assert local_stack.stdout is not None
    output, curls, links, commands = [], [], [], []
    for line in local_stack.stdout:
        output.append(line)
        if line.startswith("curl "):
            curls.append(shlex.split(line))
        if "#token=" in line:
            links.append(line.strip().partition("/console#token="))
        if line.startswith("STATS_"):
            commands.append(line)
        if "Ctrl-C" in line:
            break
    assert len(curls) == 2, "".join(output)
    assert [f"X-Auth-Token: {token}" for _, _, token in links] == [curl[2] for curl in curls]
    administrator, sub_user = [ask(curl) for curl in curls]
    assert len(administrator["users"]) == administrator["total_user_num"] == 12
    assert "users" not in sub_user
    assert 0 < sub_user["total_finished_num"] < administrator["total_finished_num"]
    while ask(curls[0])["total_input_size"] == administrator["total_input_size"]:
        time.sleep(0.1)
    [command] = commands
    verified = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)  # noqa: S602 - ours
    assert verified.returncode == 0, verified.stdout + verified.stderr
    children = child_processes(local_stack.pid)
    assert len(children) == 5

    local_stack.send_signal(signal.SIGINT)
    assert local_stack.wait(60) == 0, local_stack.stdout.read()
    assert [pid for pid in children if Path(f"/proc/{pid}").exists()] == []
    assert {path.name for path in tmp_path.iterdir()} == {".local"}
    logs = {path.name: path.read_text() for path in tmp_path.glob(".local/logs/*.log")}
    assert [name for name, text in logs.items() if "Traceback" in text] == []


def ask(curl: list[str]) -> Any:
    """What the API answers to a printed curl line."""
    _, _, header, url = curl
    name, token = header.split(": ")
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.netloc)
    try:
        connection.request("GET", address.path, headers={name: token})
        response = connection.getresponse()
        assert response.status == 200
        return json.loads(response.read())
    finally:
        connection.close()


def child_processes(pid: int) -> list[int]:
    """The ids of a process's children."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
