"""Tells denials of Kafka from outages, and says what an operator can do about them.

A denial does not pass by itself: a right is missing, the login is wrong, or the two sides do not agree on TLS.
"""

from collections.abc import Iterable, Iterator

from aiokafka import TopicPartition
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    IllegalSaslStateError,
    KafkaError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    UnsupportedSaslMechanismError,
)

from consumers.kafka.aiokafka_private import BootstrapError
from service.runtime.tls import causes, tls_remedy

_CERTIFICATE = "STATS_KAFKA_SSL_CERTFILE and STATS_KAFKA_SSL_KEYFILE"
_NAME = "correct STATS_KAFKA_BOOTSTRAP_SERVERS, or what the brokers advertise"
_AT_ONCE = (
    "a broker ends connections at once: STATS_KAFKA_SECURITY_PROTOCOL may be another than that of the port, or it wants"
    f" another certificate of ours ({_CERTIFICATE})"
)


class DeniedError(KafkaError):  # type: ignore[misc]  # aiokafka has no types
    """Says that our user lacks a right; the text names it, and what it is on."""


def explain(error: KafkaError) -> str | None:
    """Returns what is denied, and how to mend it, or None for an error that is no denial.

    Consumers and commands call it.
    """
    is_first = isinstance(error, BootstrapError)  # only there the end of a connection tells more than an outage
    problems = [problem for _, problem in error.problems] if is_first else [error]
    return next(_explanations(problems), _AT_ONCE if is_first and any(map(_is_end, problems)) else None)


def _explanations(problems: Iterable[BaseException]) -> Iterator[str]:
    for problem in problems:
        for cause in causes(problem):
            text = _right_of(cause) or _login_of(cause)
            if text is not None:
                yield text
        remedy = tls_remedy(problem, "STATS_KAFKA_SSL_CAFILE", _NAME, _CERTIFICATE)
        if remedy is not None:
            yield f"no connection to a broker: {remedy}"


def _is_end(problem: BaseException) -> bool:
    return any(isinstance(each, EOFError | ConnectionResetError | BrokenPipeError) for each in causes(problem))


def _right_of(cause: BaseException) -> str | None:
    match cause:
        case DeniedError():
            return str(cause.args[0])
        case TopicAuthorizationFailedError():
            return f"a right on topic {_names_of(cause)} is not granted"
        case GroupAuthorizationFailedError():
            return f"Read on group {_names_of(cause)} is not granted"
        case ClusterAuthorizationFailedError():
            return "a right on the cluster is not granted"
    return None


def _login_of(cause: BaseException) -> str | None:
    match cause:
        case SaslAuthenticationFailed():
            return "the login is refused: correct STATS_KAFKA_SASL_USERNAME and STATS_KAFKA_SASL_PASSWORD"
        case UnsupportedSaslMechanismError():
            return "a broker does not take our kind of login: set STATS_KAFKA_SASL_MECHANISM to one that it has"
        case IllegalSaslStateError():
            return "a broker takes no login at this port: STATS_KAFKA_SECURITY_PROTOCOL may be another"
    return None


def _names_of(error: KafkaError) -> str:
    """Returns the topics or the group that an error is about; aiokafka gives them as a text, a set, or a mapping."""
    about = error.args[0] if error.args else ""
    if isinstance(about, str):
        return about
    return ", ".join(sorted({each.topic if isinstance(each, TopicPartition) else str(each) for each in about}))
