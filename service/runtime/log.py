"""Configures the log of a process: each record is one JSON object on a line of stderr."""

import json
import logging
import sys
from datetime import UTC, datetime

_OWN_ATTRIBUTES = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


class JsonFormatter(logging.Formatter):
    """Formats a log record as JSON.

    The object has time (ISO 8601, UTC, milliseconds), level, logger, message, an exception, and every `extra` field.
    """

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
        return json.dumps(line, default=str)


def configure(level: str) -> None:
    """Sends every log record of `level` (a name such as `INFO`) or above to stderr, as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
