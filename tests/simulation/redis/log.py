"""The append-only file of a Redis that does not run: what it begins with, and how it ends after a loss of power."""

from pathlib import Path
from random import Random

_BEGIN, _END = b"*1\r\n$5\r\nMULTI\r\n", b"*1\r\n$4\r\nEXEC\r\n"  # of a script's writes
_LAST_BLOCKS = 3
_BASE = "appendonly.aof.1.base.rdb"


def begin_log(folder: Path, state: bytes) -> None:
    """Has a Redis that starts in a new folder know what a snapshot has; else it would not look at one."""
    log = folder / "appendonlydir"
    log.mkdir()
    (log / _BASE).write_bytes(state)
    (log / "appendonly.aof.manifest").write_text(f"file {_BASE} seq 1 type b\n")


def log_path(folder: Path) -> Path:
    """Returns the path of the append-only file that a Redis in this folder writes to."""
    return max((folder / "appendonlydir").glob("*.incr.aof"), key=lambda path: int(path.name.split(".")[2]))


def cut_log(folder: Path, length_bytes: int) -> None:
    """Takes so much from the end of the append-only file."""
    path = log_path(folder)
    with path.open("r+b") as file:
        file.truncate(max(0, path.stat().st_size - length_bytes))


def cut_block(folder: Path, rnd: Random) -> bool:
    """Lets the append-only file end inside of one of its last scripts' writes; returns False if it has none."""
    path = log_path(folder)
    data = path.read_bytes()
    end = len(data)
    for _ in range(rnd.randint(1, _LAST_BLOCKS)):
        end = max(0, data.rfind(_END, 0, end))
    begin = data.rfind(_BEGIN, 0, end)
    if begin < 0:  # nothing has been written since the file was begun
        return False
    path.write_bytes(data[: rnd.randrange(begin + 1, end + len(_END))])
    return True
