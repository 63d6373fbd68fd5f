"""Tells an outage from a fault of ours: whatever the client library raises while it talks to Redis is an outage.

The library does not raise its own exceptions alone: a cluster that moves its slots has made it raise AttributeError.
Where an error was raised is what tells: within the library it is an outage, in our own code it is ours and stays what
it is, so that tests see it.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from redis.exceptions import RedisClusterException, RedisError

from service.store.errors import StoreUnavailableError

_OWN = (RedisError, RedisClusterException, OSError)  # a cluster's exception is no RedisError
_LIBRARIES = frozenset({"redis", "hiredis"})


def is_outage(error: BaseException) -> bool:
    """Tells whether an error is one of the client's, or was raised by something that the client called."""
    if isinstance(error, _OWN):
        return True
    trace = error.__traceback__ if isinstance(error, Exception) else None
    while trace is not None:
        if str(trace.tb_frame.f_globals.get("__name__")).partition(".")[0] in _LIBRARIES:
            return True
        trace = trace.tb_next
    return False


def describe(error: BaseException) -> str:
    """Returns an error's type and text: the text alone is often empty, or says nothing."""
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
