"""Real servers end with whoever started them, and leave no files."""

import os
import select
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.redis.home import Home
from tests.simulation.redis.process import RedisEndedError, RedisProcess

_STARTS = """
from tests.simulation.redis.home import Home
from tests.simulation.redis.process import RedisProcess
home = Home()
process = RedisProcess(home.folder())
process.wait_ready()
print(process.path, process.pid, flush=True)
input()
"""


def test_a_server_ends_with_a_parent_that_is_killed(home: Home) -> None:
    """It is gone, and the next that needs a place removes the files, which are left alone before that."""
    command = [sys.executable, "-c", _STARTS]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:  # noqa: S603
        assert parent.stdout is not None
        named, number = parent.stdout.readline().split()
        path, ended = Path(named), os.pidfd_open(int(number))
        Home().close()
        assert path.is_socket()  # it belongs to somebody
        parent.kill()
    assert select.select([ended], [], [], 30)[0]
    os.close(ended)
    Home().close()
    assert not path.parent.exists()


def _is_refused(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) != 0


def test_a_server_that_does_not_come_up_says_why(home: Home) -> None:
    """The end of its log is in the error."""
    folder = home.folder()
    log = folder / "appendonlydir"
    log.mkdir()
    (log / "appendonly.aof.manifest").write_text("no manifest\n")
    with pytest.raises(RedisEndedError, match="manifest"):
        RedisProcess(folder).wait_ready()


def test_a_process_that_was_forked_can_end_a_server(home: Home) -> None:
    """It is nobody's child there, and has ended when the call returns."""
    process = RedisProcess(home.folder())
    process.wait_ready().close()
    child = os.fork()
    if not child:
        process.kill()
        os._exit(0 if _is_refused(process.path) else 1)
    assert os.waitpid(child, 0)[1] == 0
    process.kill()
