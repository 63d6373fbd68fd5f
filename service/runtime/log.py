"""Configures the log of a process: each record is one JSON object on a line of stderr."""

import json
import logging
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType, TracebackType
from typing import TypeAlias

from service.runtime.repetitions import Repetitions

Raised: TypeAlias = tuple[type[BaseException], BaseException, TracebackType | None]

Context: TypeAlias = Callable[[], Mapping[str, object]]

_log = logging.getLogger(__name__)
_FIELDS: ContextVar[Mapping[str, object]] = ContextVar("fields", default=MappingProxyType({}))
_OWN_ATTRIBUTES = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


class JsonFormatter(logging.Formatter):
    """Formats a log record as JSON.

    The object has time (ISO 8601, UTC, milliseconds), level, logger, message, an exception, every `extra` field, and
    the fields that `add_fields` has added in the context that logs, and those of `context`, such as the trace.
    """

    def __init__(self, context: Context = dict) -> None:
        super().__init__()
        self.context = context

    def format(self, record: logging.LogRecord) -> str:
        """Returns one line of JSON; a value of a type that JSON does not have is written as its `str`."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, object] = {
            "time": time.replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info and record.exc_info[0]:
            line["exception"] = record.exc_info[0].__name__
            line["traceback"] = self.formatException(record.exc_info)
        for name, value in vars(record).items():
            if name not in _OWN_ATTRIBUTES:
                line.setdefault(name, value)
        for name, value in (*_FIELDS.get().items(), *self.context().items()):
            line.setdefault(name, value)
        return json.dumps(line, default=str)


def add_fields(fields: Mapping[str, object]) -> None:
    """Adds fields, in the place of former ones, to every line that this context logs from now on.

    So do the tasks that it starts. A server calls it once a request, which is a context of its own.
    """
    _FIELDS.set(fields)


def configure(level: str, context: Context = dict) -> None:
    """Sends log records of `level` (a name such as `INFO`) or above to stderr, as JSON lines, but no floods of them."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(context))
    handler.addFilter(Repetitions())
    logging.basicConfig(level=level, handlers=[handler], force=True)


def take_strays() -> None:
    """From now on logs what Python would print by itself: warnings, and errors that nobody can catch.

    The programs call it once the log is configured.
    """
    logging.captureWarnings(True)
    sys.unraisablehook = lambda stray: _stray(stray.err_msg or "an error was ignored", stray.exc_value)
    threading.excepthook = lambda stray: _stray("an error has ended a thread", stray.exc_value)


def _stray(message: str, error: BaseException | None) -> None:
    _log.error(message, exc_info=error)


def say(*lines: str) -> None:
    """Writes lines to stderr as they are, for whoever started the program: what it says before there is a log."""
    with suppress(OSError):  # a full disk, or nobody who reads: the exit status tells as well
        print(*lines, sep="\n", file=sys.stderr, flush=True)  # noqa: T201 - see above


def crashed(raised: Raised) -> None:
    """Logs the error that ends the process; as JSON on stderr also where nobody has configured the log yet."""
    if not logging.getLogger().handlers:
        configure("INFO")
    _log.critical("the process ends by an error that nobody has caught", exc_info=raised)
