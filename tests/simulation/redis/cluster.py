"""Three primaries, or any number: real cluster nodes behind fronts.

They are real nodes and no standalone ones whose front answers CLUSTER SLOTS: so the server itself redirects, and
refuses scripts the keys of other slots. Measured, a node is up 12 ms after it was killed, as a standalone server is.
"""

from collections.abc import Callable, Sequence
from random import Random

from tests.simulation.redis.home import Home
from tests.simulation.redis.server import SimulatedRedis
from tests.simulation.redis.shard import Shard


class SimulatedCluster:
    """A cluster whose nodes are `servers`, each at the address given; every fault of `SimulatedRedis` is one server's.

    But none can be demoted: a node of a cluster is never the replica of an address.
    """

    def __init__(
        self,
        addresses: Sequence[tuple[str, int]],
        home: Home,
        rnd: Random,
        now_ms: Callable[[], int],
        *,
        users: Sequence[str] = (),
    ) -> None:
        shards = [Shard(number, addresses) for number in range(len(addresses))]
        self.servers = [SimulatedRedis(home, rnd, now_ms, users=users, shard=shard) for shard in shards]

    def start(self) -> None:
        """Starts all servers that do not run, at once."""
        for server in self.servers:
            server.start()

    def close(self) -> None:
        """Ends all processes."""
        for server in self.servers:
            server.close()
