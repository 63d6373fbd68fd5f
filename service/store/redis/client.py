"""Creates Redis clients, among them that of writers, which never repeats a command by itself."""

from dataclasses import replace
from ssl import SSLContext
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.driver_info import DriverInfo
from redis.maint_notifications import MaintNotificationsConfig

from service.runtime.redis_url import RedisUrl, parse_redis_url
from service.store.redis.cluster import Cluster
from service.store.redis.connections import SentinelConnection, Sentinels, TlsConnection
from service.store.redis.lookups import Lookups
from service.store.redis.pool import Pool
from service.store.redis.views import Client

_CONNECT_TIMEOUT_SECONDS = 2.0
_CONNECT_SHARE = 0.8  # of the time that a command may take, at most
WRITE_TIMEOUT_SECONDS = 10.0  # many times the longest script
_WRITE_CONNECTIONS = 64

# Options of every client: the older protocol, whose replies our parsers expect, and the name of the library, made once:
# else each connection would look for the library's version in files, and block the event loop.
_COMMON: dict[str, Any] = {
    "protocol": 2,
    "decode_responses": False,
    "socket_keepalive": True,
    "driver_info": DriverInfo(),
}
# A connection to a sentinel: for one question, without a login unless the sentinel wants one.
_SENTINEL: dict[str, Any] = {
    "protocol": 2,
    "decode_responses": False,
    "driver_info": None,
    "retry": Retry(NoBackoff(), 0),
}


def create_writer_client(
    url: str,
    cluster: bool,
    timeout_seconds: float = WRITE_TIMEOUT_SECONDS,
    *,
    cafile: str | None = None,
    key_prefix: str | None = None,
) -> Client:
    """Returns a client that sends each command once: only its caller knows whether a command may be repeated.

    `url` is as `parse_redis_url` takes it; `cafile` is the file of CA certificates where the URL names none. In Redis
    the names of all keys begin with `key_prefix`; the client's callers neither name nor see it, but in replies to SCAN.
    Reads the files of TLS, and may block. Raises OSError and ValueError if they are not as the settings have found
    them.
    """
    once = Retry(NoBackoff(), 0)
    limit = timeout_seconds
    return create_client(Redis, url, cluster, once, limit, limit, _WRITE_CONNECTIONS, cafile, key_prefix)


def create_client(  # noqa: PLR0913, PLR0917 - what a client is made of
    kind: type[Redis],
    url: str,
    cluster: bool,
    retry: Retry,
    limit_seconds: float,
    socket_timeout_seconds: float | None,
    connections: int,
    cafile: str | None,
    key_prefix: str | None,
) -> Client:
    """Returns a client of one server, of that kind, or of a cluster. A command waits for a free connection.

    `limit_seconds` is how long it waits for one, and in a cluster how long a command takes at most.
    """
    place = parse_redis_url(url)
    tls = _context(place, cafile)
    options = {**_COMMON, "socket_timeout": socket_timeout_seconds, "retry": retry, "max_connections": connections}
    options["socket_connect_timeout"] = min(_CONNECT_TIMEOUT_SECONDS, _CONNECT_SHARE * limit_seconds)
    options |= {"username": place.username, "password": place.password}
    if cluster:
        more = {**options, "max_connections": 2 * connections}
        return Cluster(place.hosts, tls, limit_seconds, key_prefix or "", **more)
    options["lookups"] = lookups = Lookups()
    if place.service is None:
        [(host, port)] = place.hosts
        options |= {"connection_class": TlsConnection, "host": host, "port": port}
    else:
        sentinels = Sentinels(place.hosts, place.service, _login(place), {**_SENTINEL, "tls": tls, "lookups": lookups})
        options |= {"connection_class": SentinelConnection, "sentinels": sentinels}
    pool = Pool(
        timeout=limit_seconds,
        maint_notifications_config=MaintNotificationsConfig(enabled=False),
        db=place.database,
        tls=tls,
        key_prefix=key_prefix or "",
        **options,
    )
    if place.service is not None:
        sentinels.on_new_primary = pool.renew
    return kind.from_pool(pool)


def _context(place: RedisUrl, cafile: str | None) -> SSLContext | None:
    if place.tls is None:
        return None
    return (place.tls if cafile is None else replace(place.tls, cafile=cafile)).context()


def _login(place: RedisUrl) -> list[str]:
    """Returns the words of an AUTH, none where the URL has no password."""
    if place.password is None:
        return []
    return [place.password] if place.username is None else [place.username, place.password]
