"""The example that the README names, against the running service."""

import asyncio
import os
import subprocess
import sys
import time

from deploy.local.tokens import sign_token
from tests.docs import PROJECT
from tests.end_to_end.asking import SECRET
from tests.end_to_end.system import System


async def test_the_example(system: System, kafka_bootstrap: str, topic: str) -> None:
    """It publishes, waits until the service has what it published, and prints that."""
    await asyncio.gather(system.start_consumer(), system.start_service())
    now_seconds = int(time.time())
    token = sign_token(SECRET, user_id="a", name="a", project_id="acme", role="te_admin", now_seconds=now_seconds)
    command = [sys.executable, str(PROJECT / "examples" / "publish_and_ask.py"), kafka_bootstrap]
    command += [f"http://127.0.0.1:{system.api_port}", "acme", "--topic", topic]
    environment = {**os.environ, "TOKEN": token}
    ended = await asyncio.to_thread(
        subprocess.run, command, env=environment, capture_output=True, text=True, check=False, timeout=90
    )
    assert ended.returncode == 0, ended.stderr
    as_of, users = ended.stdout.splitlines()
    assert as_of.startswith("as of 20")
    assert users == f"example: 1 running, 2 finished, {3 * 729_092_919} bytes"
