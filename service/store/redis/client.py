"""Creates Redis clients, among them that of writers, which never repeats a command by itself."""

from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.driver_info import DriverInfo
from redis.maint_notifications import MaintNotificationsConfig

from service.store.redis.cluster import Cluster
from service.store.redis.pool import Pool
from service.store.redis.views import Client

_CONNECT_TIMEOUT_SECONDS = 2.0
WRITE_TIMEOUT_SECONDS = 10.0  # many times the longest script
_WRITE_CONNECTIONS = 64

# Options of every client: the older protocol, whose replies our parsers expect, and the name of the library, made once:
# else each connection would look for the library's version in files, and block the event loop.
_COMMON: dict[str, Any] = {
    "protocol": 2,
    "decode_responses": False,
    "socket_connect_timeout": _CONNECT_TIMEOUT_SECONDS,
    "socket_keepalive": True,
    "driver_info": DriverInfo(),
}


def create_writer_client(url: str, cluster: bool, timeout_seconds: float = WRITE_TIMEOUT_SECONDS) -> Client:
    """Returns a client that sends each command once: only its caller knows whether a command may be repeated."""
    return create_client(Redis, url, cluster, Retry(NoBackoff(), 0), timeout_seconds, _WRITE_CONNECTIONS)


def create_client(  # noqa: PLR0913, PLR0917 - what a client is made of
    kind: type[Redis], url: str, cluster: bool, retry: Retry, timeout_seconds: float, connections: int
) -> Client:
    """Returns a client of one server, of that kind, or of a cluster. A command waits for a free connection."""
    options = {**_COMMON, "socket_timeout": timeout_seconds, "retry": retry, "max_connections": connections}
    if cluster:
        return Cluster.from_url(url, **{**options, "max_connections": 2 * connections})
    pool = Pool.from_url(
        url, timeout=timeout_seconds, maint_notifications_config=MaintNotificationsConfig(enabled=False), **options
    )
    return kind.from_pool(pool)
