"""Publishes job events to Kafka, and asks the API for statistics: the Python client library of the service.

`EventPublisher`, `JobEvent` and `StatisticsClient` are its front door; `gene_statistics.sync` is for callers without an
event loop. Importing this package loads nothing else: a program that only publishes never loads the HTTP client, and
one that only asks never loads the Kafka client.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gene_statistics.answers import Statistics, TimeSeries, TimeSeriesPoint
    from gene_statistics.client import StatisticsClient
    from gene_statistics.errors import (
        AlreadyOpenError,
        ApiError,
        ClientClosedError,
        ForbiddenError,
        GeneStatisticsError,
        InvalidAnswerError,
        InvalidEventError,
        InvalidTokenError,
        PublisherClosedError,
        PublishError,
        PublishTimeoutError,
        RateLimitedError,
        UnauthorizedError,
        UnavailableError,
        UnreachableError,
    )
    from gene_statistics.event import JobEvent
    from gene_statistics.publisher import Delivery, EventPublisher
    from service.events.event import JobStatus
    from service.statistics import UserStatistics

_HOMES = {
    "AlreadyOpenError": "gene_statistics.errors",
    "ApiError": "gene_statistics.errors",
    "ClientClosedError": "gene_statistics.errors",
    "Delivery": "gene_statistics.publisher",
    "EventPublisher": "gene_statistics.publisher",
    "ForbiddenError": "gene_statistics.errors",
    "GeneStatisticsError": "gene_statistics.errors",
    "InvalidAnswerError": "gene_statistics.errors",
    "InvalidEventError": "gene_statistics.errors",
    "InvalidTokenError": "gene_statistics.errors",
    "JobEvent": "gene_statistics.event",
    "JobStatus": "service.events.event",
    "PublishError": "gene_statistics.errors",
    "PublishTimeoutError": "gene_statistics.errors",
    "PublisherClosedError": "gene_statistics.errors",
    "RateLimitedError": "gene_statistics.errors",
    "Statistics": "gene_statistics.answers",
    "StatisticsClient": "gene_statistics.client",
    "TimeSeries": "gene_statistics.answers",
    "TimeSeriesPoint": "gene_statistics.answers",
    "UnauthorizedError": "gene_statistics.errors",
    "UnavailableError": "gene_statistics.errors",
    "UnreachableError": "gene_statistics.errors",
    "UserStatistics": "service.statistics",
}

__all__ = [
    "AlreadyOpenError",
    "ApiError",
    "ClientClosedError",
    "Delivery",
    "EventPublisher",
    "ForbiddenError",
    "GeneStatisticsError",
    "InvalidAnswerError",
    "InvalidEventError",
    "InvalidTokenError",
    "JobEvent",
    "JobStatus",
    "PublishError",
    "PublishTimeoutError",
    "PublisherClosedError",
    "RateLimitedError",
    "Statistics",
    "StatisticsClient",
    "TimeSeries",
    "TimeSeriesPoint",
    "UnauthorizedError",
    "UnavailableError",
    "UnreachableError",
    "UserStatistics",
]


def __getattr__(name: str) -> Any:
    """Returns a public name from its module, which is imported when the name is first asked for."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(home), name)
    return value
