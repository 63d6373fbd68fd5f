"""Runs wrk: one thread that asks over so many connections, each without a pause."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.local.process import ChildFailedError
from deploy.local.servers import MissingServerError

CONNECTIONS = 16
_SCRIPT = Path(__file__).with_name("wrk.lua")
_GRACE_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Load:
    """What wrk saw: requests answered, in how many seconds, and latencies."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float


def find_wrk() -> str:
    """The path of wrk."""
    path = shutil.which("wrk")
    if path is None:
        raise MissingServerError("no wrk in the PATH: it is the Debian package `wrk`")
    return path


def ask(folder: Path, port: int, paths: Sequence[str], token: str, seconds: int) -> Load:
    """Asks for these paths in turn for so long; raises ChildFailedError if a request fails."""
    list_path = folder / "wrk.paths"
    list_path.write_text("\n".join(paths) + "\n")
    command = [
        find_wrk(),
        "-t",
        "1",
        "-c",
        str(CONNECTIONS),
        "-d",
        f"{seconds}s",
        "--timeout",
        "20s",
        "-s",
        str(_SCRIPT),
    ]
    command += ["-H", f"X-Auth-Token: {token}", f"http://127.0.0.1:{port}", "--", str(list_path)]
    limit_seconds = seconds + _GRACE_SECONDS
    done = subprocess.run(command, capture_output=True, text=True, timeout=limit_seconds, check=False)  # noqa: S603
    if done.returncode != 0:
        raise ChildFailedError(f"wrk failed (exit code {done.returncode}): {done.stderr.strip()}")
    result = json.loads(done.stdout.strip().splitlines()[-1])
    if result.pop("failed") > 0 or result["requests"] == 0:
        raise ChildFailedError(f"wrk: requests failed, or none was answered: {done.stdout}")
    return Load(**result)
