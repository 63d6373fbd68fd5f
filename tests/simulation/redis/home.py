"""Keeps the files of a process's Redis servers in memory, and leaves none behind, however the process ends."""

import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

_PREFIX = "simulated-redis-"
_LOCK = "lock"
_LEAST_FREE_BYTES = 32 << 20  # one life uses up to 20 MB; containers often have 64 MB of such memory for all


def _places() -> list[Path]:
    """Returns the folders in which a home may lie, the best first: memory where there is some."""
    memory = Path("/dev/shm")  # noqa: S108 - it is looked for, and folders in it get names of their own
    disk = Path(tempfile.gettempdir())
    return [memory, disk] if os.access(memory, os.W_OK) else [disk]


class Home:
    """A folder that holds those of several servers. Whoever makes one removes those that killed processes have left.

    A process that is forked needs one of its own.
    """

    def __init__(self) -> None:
        places = _places()
        for each in places:
            _sweep(each)
        place = places[0] if shutil.disk_usage(places[0]).free >= _LEAST_FREE_BYTES else places[-1]
        self._path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place))
        self._lock = _lock(self._path)
        self._owner = os.getpid()
        self._folders = 0

    def folder(self) -> Path:
        """Returns a new folder for one server's files."""
        self._folders += 1
        folder = self._path / str(self._folders)
        folder.mkdir()
        return folder

    def close(self) -> None:
        """Removes the folder with all that is in it; does nothing in a process that was forked from the owner."""
        if os.getpid() == self._owner:
            shutil.rmtree(self._path, ignore_errors=True)
        os.close(self._lock)


def _lock(path: Path) -> int:
    """Holds a lock in the folder for as long as this process, or one forked from it, is there. Raises OSError."""
    descriptor = os.open(path / _LOCK, os.O_CREAT | os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _sweep(place: Path) -> None:
    for left in place.glob(f"{_PREFIX}*"):
        if (left / _LOCK).exists():  # else it is just being made
            with suppress(OSError):  # somebody uses it
                descriptor = _lock(left)
                shutil.rmtree(left, ignore_errors=True)
                os.close(descriptor)
