"""The outbox of docs/producers.md on a real PostgreSQL: its events are events, and what they count to is the table."""

import asyncio
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from service.events.decoding import decode
from service.events.event import JobDeletion, JobEvent
from tests.conftest import require_part
from tests.docs import documents, fenced
from tests.oracle import Oracle

TABLES, POLL = fenced(documents()["docs/producers.md"], "sql")
_USER = "postgres"


@dataclass(frozen=True, slots=True)
class Session:
    """One connection, by psql: statements in, rows out."""

    process: asyncio.subprocess.Process

    async def run(self, sql: str) -> list[tuple[str, str]]:
        """The rows of two columns that statements return; the last of them has ended."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{sql}\n\\echo done\n".encode())
        rows = []
        while (line := (await self.process.stdout.readline()).decode().rstrip("\n")) != "done":
            assert line, "psql has ended, its error is on standard error"
            key, _, value = line.partition("\t")
            rows.append((key, value))
        return rows


def _program(name: str) -> str:
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    path = str(installed[-1]) if installed else shutil.which(name)
    require_part(path is not None, f"PostgreSQL's {name}")
    assert path is not None
    return path


def _as_user(folder: str) -> list[str]:
    """What a command begins with, since PostgreSQL does not run as root; gives its user the folder."""
    if os.geteuid() != 0:
        return []
    shutil.chown(folder, _USER, _USER)
    return ["setpriv", f"--reuid={_USER}", f"--regid={_USER}", "--clear-groups", "--pdeathsig=KILL", "--"]


@pytest.fixture
async def sessions() -> AsyncIterator[list[Session]]:
    """Two connections to an empty database, which listens on a socket in a folder of its own."""
    initdb, postgres, psql, stdbuf = (_program(name) for name in ("initdb", "postgres", "psql", "stdbuf"))
    with tempfile.TemporaryDirectory() as folder:  # pytest's folders are closed to the user of PostgreSQL
        prefix = _as_user(folder)
        data = f"{folder}/data"
        init = [*prefix, initdb, "-D", data, "-U", _USER, "-A", "trust", "-N", "--locale=C", "-E", "UTF8"]
        subprocess.run(init, check=True, capture_output=True)  # noqa: ASYNC221, S603 - nothing else runs yet
        serve = [*prefix, postgres, "-D", data, "-c", "listen_addresses=", "-k", folder, "-c", "fsync=off"]
        server = await asyncio.create_subprocess_exec(*serve, stderr=asyncio.subprocess.PIPE)
        assert server.stderr is not None
        while b"ready to accept connections" not in (line := await server.stderr.readline()):
            assert line, "PostgreSQL has ended"
        connect = [
            *prefix,
            stdbuf,
            "-oL",
            psql,
            "-h",
            folder,
            "-U",
            _USER,
            "-qAtX",
            "-F",
            "\t",
            "-v",
            "ON_ERROR_STOP=1",
        ]
        processes = [
            await asyncio.create_subprocess_exec(
                *connect, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
            )
            for _ in range(2)
        ]
        try:
            yield [Session(each) for each in processes]
        finally:
            for each in processes:
                await each.communicate(b"")  # without input it would leave theirs open
            server.terminate()
            await server.communicate()


def _event(row: tuple[str, str]) -> JobEvent | JobDeletion:
    key, value = row
    return decode(key.encode(), value.encode() or None)


async def test_outbox_has_what_was_committed(sessions: list[Session]) -> None:
    """One event for each change that was committed, numbered, by its key; a deletion is a tombstone.

    Two pollers get different rows. What a poller took comes again if it ends before it commits.
    """
    backend, other = sessions
    begin, take, _, commit = POLL.strip().split("\n\n")
    await backend.run(TABLES)
    await backend.run("""
        INSERT INTO job (project_id, user_id, user_name, job_type, input_size)
            SELECT 'acme', 'u-' || number % 3, 'chen "wei" 王' || number % 3, 'CNVKIT', number
            FROM generate_series(1, 600) number;
        BEGIN; UPDATE job SET status = 'FAILED'; ROLLBACK;
        UPDATE job SET status = 'RUNNING', start_time = now() WHERE input_size <= 300;
        UPDATE job SET status = 'FINISHED', input_size = input_size + 1000 WHERE input_size <= 200;
        DELETE FROM job WHERE user_id = 'u-2' AND status = 'RUNNING';
    """)
    first, second = [], []
    await backend.run(begin)
    first += await backend.run(take)
    await other.run(begin)
    second += await other.run(take)
    assert len(first) == 500
    assert not {*first} & {*second}
    await other.run("ROLLBACK;")
    assert await other.run(f"{begin} {take} {commit}") == second
    await backend.run(commit)
    while rows := await backend.run(f"{begin} {take} {commit}"):
        second += rows
    events = [_event(row) for row in [*first, *second]]
    jobs = await backend.run("SELECT status, sum(input_size) || ' ' || count(*) FROM job GROUP BY status;")
    assert len(events) == 600 + 300 + 200 + sum(isinstance(each, JobDeletion) for each in events)
    assert {each.sequence for each in events if isinstance(each, JobEvent)} == {1, 2, 3}
    answer: dict[str, Any] = Oracle(events[::-1]).answer("acme")
    counted = {status: int(text.split()[1]) for status, text in jobs}
    assert {status: answer[f"total_{status.lower()}_num"] for status in counted} == counted
    assert answer["total_input_size"] == sum(int(text.split()[0]) for _, text in jobs)
    assert [user["user_name"] for user in answer["users"]] == [f'chen "wei" 王{number}' for number in range(3)]


async def test_one_poller_publishes_the_events_of_a_job_in_order(sessions: list[Session]) -> None:
    """Also after a VACUUM, when new rows take the places of old ones in the table."""
    backend, poller = sessions
    begin, take, _, commit = POLL.strip().split("\n\n")
    await backend.run(TABLES)
    await backend.run("""
        INSERT INTO job (project_id, user_id, user_name)
            SELECT 'acme', 'user', 'user' FROM generate_series(1, 400);
    """)
    rows: list[tuple[str, str]] = []
    for _ in range(3):
        rows += await poller.run(f"{begin} {take} {commit}")
        await backend.run("VACUUM job_event_outbox; UPDATE job SET status = 'RUNNING'; UPDATE job SET input_size = 1;")
    while taken := await poller.run(f"{begin} {take} {commit}"):
        rows += taken
    published: dict[str, list[int]] = {}
    for key, value in rows:
        published.setdefault(key, []).append(json.loads(value)["sequence"])
    assert len(published) == 400
    assert all(numbers == list(range(1, 8)) for numbers in published.values())
