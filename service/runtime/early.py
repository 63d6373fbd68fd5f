"""What a program does before all else: it takes signals, and sees to errors that nobody catches.

Without a handler for a signal Python ends by it, and as PID 1, as in a container, it never gets it. The programs call
`begin` before they import what takes most of a second, so this module imports nothing that takes long.
"""

import atexit
import faulthandler
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    import asyncio

EXIT_CRASHED = 70  # EX_SOFTWARE of sysexits.h; Python's own 1 has another meaning here
_STOPPING = (signal.SIGTERM, signal.SIGINT)


def begin(status_of: Callable[[int], int], last_words: bytes = b"") -> None:
    """From now on SIGTERM and SIGINT end the process at once, with the status that `status_of` gives for the signal.

    So it is until the program has something to end in order, and calls `stop_on_signals`. `last_words` are written to
    stderr. An error that nobody catches becomes a line of the log, and ends the process with EXIT_CRASHED. A crash in
    native code leaves Python's traceback on stderr.
    """

    def end(number: int) -> None:
        with suppress(OSError):
            os.write(2, last_words)
        os._exit(status_of(number))

    _handle(end)
    sys.excepthook = _crash
    atexit.register(_keep_exit_status)
    if sys.stderr is None:  # closed by whoever started us: a connection must not get its number
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - for as long as the process lives
    faulthandler.enable()


def stop_on_signals(loop: "asyncio.AbstractEventLoop", stop: Callable[[int], object]) -> None:
    """From now on has the loop call `stop` with the number of each SIGTERM and SIGINT, until the loop is closed.

    Other than `loop.add_signal_handler` it leaves no moment at the loop's end at which a signal kills the process.
    """

    def tell(number: int) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(stop, number)

    _handle(tell)


def _handle(handle: Callable[[int], None]) -> None:
    for each in _STOPPING:
        signal.signal(each, lambda number, _frame: handle(number))


def _keep_exit_status() -> None:
    """Sees to it that neither one more signal nor text that cannot be written changes the status while Python ends."""
    for each in _STOPPING:
        signal.signal(each, signal.SIG_IGN)
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            _flush_or_discard(stream)


def _flush_or_discard(stream: TextIO) -> None:
    try:
        stream.flush()
    except OSError:  # Python would try once more, and end with 120
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _crash(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    from service.runtime import log  # noqa: PLC0415 - what it imports takes time

    log.crashed((kind, error, trace))
    os._exit(EXIT_CRASHED)
