"""A real redis-server process that answers on a unix socket alone, and is gone as soon as whoever started it is."""

import ctypes
import os
import resource
import select
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.servers import redis_program
from tests.simulation.redis.wire import Wire, connected

_OPTIONS = (
    *("--port", "0", "--save", "", "--loglevel", "warning", "--logfile", "log", "--maxmemory-policy", "noeviction"),
    # what was acknowledged is in the file, although the process is killed; it is written anew only when it is asked to
    *("--appendonly", "yes", "--appendfsync", "no", "--auto-aof-rewrite-percentage", "0"),
    *("--hz", "500", "--rdbcompression", "no"),  # so that a file is written anew in 2 ms
    # fields stay in the order in which they came, and not in that of a hash with a seed of its own at each start
    *("--hash-max-listpack-entries", "1000000", "--hash-max-listpack-value", "1000000"),
)
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)
_GUARD = shutil.which("setpriv")
_UNLESS_ORPHAN = 'test $PPID -eq "$0" && exec "$@"'  # the parent may have ended before the kernel knew


class RedisEndedError(Exception):
    """Says that a Redis ended by itself; the text has the end of its log."""


class RedisProcess:
    """A Redis over the files in a folder. It is launched at once, and `wait_ready` returns when it answers."""

    def __init__(self, folder: Path, options: Sequence[str] = ()) -> None:
        self.folder = folder
        self.path = folder / "socket"  # of the unix socket
        self.path.unlink(missing_ok=True)
        words = [redis_program(), "--dir", str(folder), "--unixsocket", str(self.path), *_OPTIONS, *options]
        # Its limit of the size of files is to make writes fail, not to end it: Python ignores the signal, and so does
        # what is started without the signals being restored.
        self._process = _launched(words, folder)
        self._ended = os.pidfd_open(self.pid)  # a process that was forked meanwhile can wait for it, too

    def wait_ready(self) -> Wire:
        """Returns a connection to it once it answers. Raises RedisEndedError."""
        return connected(self.path, self._check)

    def _check(self) -> None:
        if self._has_ended(0):
            self._forget()
            log = self.folder / "log"
            raise RedisEndedError(log.read_text()[-2_000:] if log.exists() else "no log")

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def kill(self) -> None:
        """Ends it without any warning; returns when it has ended."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Asks it to end, and returns when it has."""
        self._end(signal.SIGTERM)

    def limit_files(self, length_bytes: int | None) -> None:
        """Has writes fail that make a file longer than this, as on a full disk; None lets all succeed."""
        most = resource.RLIM_INFINITY if length_bytes is None else length_bytes
        resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))

    def _end(self, number: int) -> None:
        if self._ended < 0:
            return
        signal.pidfd_send_signal(self._ended, number)
        self._has_ended(None)
        self._forget()

    def _forget(self) -> None:
        """Takes the process's status, if it is our child, so that nothing of it is left."""
        self._process.poll()
        os.close(self._ended)
        self._ended = -1

    def _has_ended(self, wait_ms: int | None) -> bool:
        poll = select.poll()
        poll.register(self._ended, select.POLLIN)
        return bool(poll.poll(wait_ms))


def _launched(words: Sequence[str], folder: Path) -> subprocess.Popen[bytes]:
    """Starts a process that the kernel kills when the thread that has started it ends.

    A program that arranges that costs 1 ms, and forking a process of 300 MB, as a function of ours needs it, 18.
    """
    return subprocess.Popen(  # noqa: S603 - our own programs
        [_GUARD, "--pdeathsig", "KILL", "sh", "-c", _UNLESS_ORPHAN, str(os.getpid()), *words] if _GUARD else words,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        restore_signals=False,
        preexec_fn=None if _GUARD else _end_with_parent,  # noqa: PLW1509 - takes no lock
    )


def _end_with_parent() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
