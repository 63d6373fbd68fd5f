"""What is done to the inside of redis-py."""

import hashlib
import inspect
from typing import Any

from redis.asyncio import BlockingConnectionPool, ConnectionPool
from redis.asyncio.cluster import ClusterNode, NodesManager, RedisCluster
from redis.asyncio.connection import AbstractConnection, Connection


def test_the_library_is_the_one_that_was_read() -> None:
    """Whoever updates redis-py reads our modules in store/redis against it, and then writes the new digest here."""
    read: list[Any] = [
        RedisCluster.__init__,
        RedisCluster.initialize,
        RedisCluster.execute_command,
        RedisCluster._execute_command,
        RedisCluster._determine_slot,
        RedisCluster.get_node_from_key,
        RedisCluster.aclose,
        ClusterNode,
        NodesManager.aclose,
        ConnectionPool.make_connection,
        BlockingConnectionPool.get_connection,
        BlockingConnectionPool.release,
        AbstractConnection.connect,
        AbstractConnection.read_response,
        AbstractConnection.send_command,
        AbstractConnection.pack_command,
        AbstractConnection.pack_commands,
        AbstractConnection.connect_check_health,
        AbstractConnection.on_connect_check_health,
        Connection._connection_arguments,
        Connection._connect,
        NodesManager.initialize,
    ]
    digest = hashlib.sha256("".join(inspect.getsource(each) for each in read).encode()).hexdigest()[:16]
    assert digest == "218e37f4b711667e"
