"""Instants as callers give them: datetimes with a time zone, or Unix milliseconds."""

from datetime import UTC, datetime, timedelta

LAST_MS = 253_402_300_799_999
"""The last millisecond of the year 9999; a datetime holds none after it."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_ms(instant: datetime) -> int:
    """Returns the Unix millisecond in which an instant lies; raises ValueError for a datetime without a time zone.

    Times of events and bounds of questions are both rounded down, so a job lies in an interval that begins with the
    datetime of its start.
    """
    if instant.utcoffset() is None:
        raise ValueError("a datetime without a time zone says no instant; give it one, such as datetime.UTC")
    return (instant - _EPOCH) // timedelta(milliseconds=1)


def from_ms(ms: int) -> datetime:
    """Returns a Unix millisecond as a datetime in UTC; raises OverflowError after `LAST_MS`."""
    return _EPOCH + timedelta(milliseconds=ms)
