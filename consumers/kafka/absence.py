"""Says why Kafka cannot be reached: at which address, and whether it refuses, is silent, unknown, or fails in TLS."""

import errno
import socket
import ssl
from collections.abc import Iterable, Mapping, Sequence

from aiokafka.errors import KafkaError, KafkaTimeoutError, RequestTimedOutError

from consumers.kafka.aiokafka_private import BootstrapError, unreached
from service.runtime.tls import causes

_MOST_ADDRESSES = 5
_REASONS: Sequence[tuple[tuple[type[BaseException], ...], str]] = (
    ((socket.gaierror,), "the name is not known (DNS)"),
    ((ConnectionRefusedError,), "the connection is refused"),
    ((ssl.SSLError,), "TLS fails"),
    ((TimeoutError, KafkaTimeoutError, RequestTimedOutError), "no answer in time"),
    ((ConnectionResetError, BrokenPipeError, EOFError), "the connection was ended by the other side"),
)
_REFUSED = f"[Errno {errno.ECONNREFUSED}]"  # a host with several addresses has an error with this in its text alone


def why_away(error: KafkaError, others: Mapping[str, Exception] = unreached) -> str:
    """Returns the reason of an error of Kafka in the words of an operator, with each address and what is wrong there.

    `others` are connections that have failed of late: where a client has none left, its error has no reason.
    """
    if isinstance(error, BootstrapError):
        return _list(error.problems)
    return "; ".join(filter(None, [_reason_of(error), _list(others.items())]))


def _list(problems: Iterable[tuple[str, Exception]]) -> str:
    told = [f"{address}: {_reason_of(problem)}" for address, problem in problems]
    return "; ".join([*told[:_MOST_ADDRESSES], *(["..."] if len(told) > _MOST_ADDRESSES else [])])


def _reason_of(problem: BaseException) -> str:
    for cause in causes(problem):
        for kinds, reason in _REASONS:
            if isinstance(cause, kinds):
                return reason
        if isinstance(cause, OSError):
            return "the connection is refused" if _REFUSED in str(cause) else cause.strerror or str(cause)
    return repr(problem)
