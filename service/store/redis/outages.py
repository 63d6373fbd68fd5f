"""Tells outages of Redis from faults of our own code.

The client library does not raise its own exceptions alone: a cluster that moves its slots has made it raise
AttributeError. So the place where an error was raised decides: an error raised inside the library is an outage, an
error raised in our own code stays what it is, so that tests see it.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from redis.exceptions import RedisClusterException, RedisError

from service.store.errors import StoreUnavailableError

_OWN = (RedisError, RedisClusterException, OSError)  # a cluster's exception is no RedisError
_LIBRARIES = frozenset({"redis", "hiredis"})


def is_outage(error: BaseException) -> bool:
    """Tells whether an error is an exception of the client library, or was raised inside of it."""
    if isinstance(error, _OWN):
        return True
    trace = error.__traceback__ if isinstance(error, Exception) else None
    while trace is not None:
        if str(trace.tb_frame.f_globals.get("__name__")).partition(".")[0] in _LIBRARIES:
            return True
        trace = trace.tb_next
    return False


def describe(error: BaseException) -> str:
    """Returns an error's type and text; the text alone is often empty, or says too little."""
    return f"{type(error).__name__}: {error}"


@contextmanager
def reaching(doing: str) -> Iterator[None]:
    """Raises StoreUnavailableError for any outage in its block; `doing` says what was under way."""
    try:
        yield
    except Exception as error:
        if not is_outage(error):
            raise
        raise StoreUnavailableError(f"{doing}: {describe(error)}") from error
