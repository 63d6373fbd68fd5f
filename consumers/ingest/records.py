"""Gives the verdict about a record: an event, a deletion, or why it is neither.

Whatever judges records asks here: the fold, the sifting of refused events, and `replay-dead-letters`.
"""

from typing import Protocol

from consumers.kafka.aiokafka_private import HeaderName
from service.events.cloudevents import Headers, is_cloud_event, unwrap
from service.events.decoding import InvalidRecordError, decode
from service.events.event import JobDeletion, JobEvent


class Record(Protocol):
    """Describes a record, as the reader gives it or as a dead letter holds it."""

    @property
    def key(self) -> bytes | None:
        """Returns the key."""

    @property
    def value(self) -> bytes | None:
        """Returns the value."""

    @property
    def headers(self) -> Headers:
        """Returns the headers."""


def are_judged(headers: Headers) -> bool:
    """Tells whether headers decide about what their record is; such headers have a misnamed one, or a CloudEvent's."""
    return any(isinstance(name, HeaderName) for name, _ in headers) or is_cloud_event(headers)


def decode_record(record: Record) -> JobEvent | JobDeletion:
    """Returns the event or deletion that a record holds; raises InvalidRecordError."""
    headers = record.headers
    if headers:
        for number, (name, _) in enumerate(headers, 1):
            if isinstance(name, HeaderName):
                raise InvalidRecordError("bad_headers", f"headers: the name of number {number} is not UTF-8")
        if record.value is not None and is_cloud_event(headers):
            return decode(record.key, *unwrap(record.value, headers))
    return decode(record.key, record.value)
