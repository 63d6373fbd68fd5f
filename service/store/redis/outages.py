"""Tells outages of Redis from faults of our own code.

The client library does not raise its own exceptions alone: a cluster that moves its slots has made it raise
AttributeError. So the place where an error was raised decides: an error raised inside the library is an outage, an
error raised in our own code stays what it is, so that tests see it.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from redis.exceptions import AuthenticationError, NoPermissionError, RedisClusterException, RedisError

from service.runtime.tls import causes, tls_remedy
from service.store.errors import StoreDeniedError, StoreUnavailableError

_OWN = (RedisError, RedisClusterException, OSError)  # a cluster's exception is no RedisError
_LIBRARIES = frozenset({"redis", "hiredis"})
# How Redis says that the user may not run a command within a script (7.0 has other words than later versions), or that
# it may not run EXEC, or MULTI.
_DENIED = ("ACL failure in script", "The user executing the script can't", "NOPERM", "EXEC without MULTI")
_NO_DATABASE = ("DB index is out of range", "SELECT is not allowed in cluster mode")
_NAME = "correct the host in STATS_REDIS_URL, or set ssl_check_hostname=false there"
GRANT = "grant it to the user of STATS_REDIS_URL"


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


def find_remedy(error: BaseException) -> str | None:
    """Returns what an operator can do if an outage is a denial of the server, else None."""
    for cause in causes(error):
        if isinstance(cause, NoPermissionError) or any(words in str(cause) for words in _DENIED):
            return GRANT
        if isinstance(cause, AuthenticationError):
            return "correct user and password in STATS_REDIS_URL"
        if any(words in str(cause) for words in _NO_DATABASE):
            return "correct the number of the database in STATS_REDIS_URL: the server lacks it"
    return tls_remedy(error, "STATS_REDIS_CAFILE", _NAME, "ssl_certfile and ssl_keyfile in STATS_REDIS_URL")


@contextmanager
def reaching(doing: str) -> Iterator[None]:
    """Raises StoreUnavailableError for any outage in its block; `doing` says what was under way.

    It raises StoreDeniedError for a denial of the server; the text then also says what to do.
    """
    try:
        yield
    except Exception as error:
        if not is_outage(error):
            raise
        remedy = find_remedy(error)
        if remedy is not None:
            raise StoreDeniedError(f"{doing}: {describe(error)}; {remedy}") from error
        raise StoreUnavailableError(f"{doing}: {describe(error)}") from error
