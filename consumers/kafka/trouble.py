"""Tells in the log why Kafka's clients are made anew: in few lines, and once more when that is over."""

import logging
import time
from collections.abc import Callable

from aiokafka.errors import KafkaError

from consumers.kafka.absence import why_away
from consumers.kafka.denials import explain
from service.runtime.trouble import Trouble

_log = logging.getLogger(__name__)


class KafkaTrouble:
    """Remembers what keeps clients from working: a denial, which stays until somebody mends it, or an outage."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._denial, self._outage = Trouble(clock), Trouble(clock)

    @property
    def denial(self) -> str | None:
        """Returns what is denied, and how to mend it, or None; `/readyz` shows it."""
        return self._denial.text()

    def failed(self, error: KafkaError, retry_seconds: float) -> None:
        """Takes note that the clients have failed, and are made anew after so many seconds."""
        denial = explain(error)
        reason = denial or why_away(error)
        told = (self._denial if denial else self._outage).note(reason)
        if told is None:
            return
        fields = {"reason": reason, "retry_seconds": round(retry_seconds, 3), **told}
        if denial:
            _log.error("Kafka denies us access, trying again", extra=fields)
        else:
            _log.warning("Kafka is not usable, trying again", extra=fields)

    def passed(self) -> None:
        """Takes note that all clients have connected."""
        for trouble in (self._denial, self._outage):
            told = trouble.end()
            if told is not None:
                _log.info("Kafka is usable again", extra=told)
