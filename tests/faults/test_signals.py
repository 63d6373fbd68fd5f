"""Both processes as PID 1, as in a container: a signal ends them, however early it comes."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from deploy.local.servers import free_port
from deploy.local.waiting import eventually
from tests.pid_1 import as_pid_1

# After the process can take signals: in the midst of its imports, about at their end, and when it has begun to work.
_MOMENTS_SECONDS = (0.0, 0.4, 0.8, 1.5)


def _child(process: asyncio.subprocess.Process) -> int | None:
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return int(children[0]) if children else None


def _takes(pid: int | None, number: signal.Signals) -> bool:
    """Tells whether a process has a handler for a signal."""
    if pid is None:
        return False
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    caught = next(int(line.split()[1], 16) for line in status if line.startswith("SigCgt:"))
    return bool(caught >> (number - 1) & 1)


async def _end_at(module: str, moment_seconds: float) -> tuple[int, str]:
    """Starts a process as PID 1, signals it so long after it can take signals; returns its status and its log."""
    port = str(free_port())
    environment = {name: value for name, value in os.environ.items() if not name.startswith("STATS_")} | {
        "STATS_JWT_SECRET": "a secret of tests that is long enough",
        "STATS_REDIS_URL": f"redis://127.0.0.1:{port}/0",
        "STATS_KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{port}",
        "STATS_HTTP_PORT": "0",
        "STATS_METRICS_PORT": "0",
    }
    process = await asyncio.create_subprocess_exec(
        *as_pid_1(),
        *(sys.executable, "-m", module),
        env=environment,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        await eventually(lambda: _takes(_child(process), signal.SIGTERM), f"{module} takes signals")
        await asyncio.sleep(moment_seconds)
        pid = _child(process)
        assert pid is not None, "it has ended by itself"
        os.kill(pid, signal.SIGTERM)
        async with asyncio.timeout(30):
            _, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return process.returncode, err.decode()


@pytest.mark.parametrize("module", ["service", "consumers"])
async def test_it_ends_in_order_whenever_the_signal_comes(module: str) -> None:
    """Status 0, and no traceback."""
    for status, log in await asyncio.gather(*(_end_at(module, moment) for moment in _MOMENTS_SECONDS)):
        assert status == 0, log
        assert "Traceback" not in log
