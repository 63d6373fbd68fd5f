"""The servers of a life's store: one primary, or three that share the slots."""

from collections.abc import Sequence
from random import Random

from service.store.redis.clock import system_now_ms
from tests.simulation.network import Address
from tests.simulation.redis.home import Home
from tests.simulation.redis.server import SimulatedRedis
from tests.simulation.redis.shard import Shard

CONSUMERS, SERVICE = "consumers", "service"  # users of Redis
_PORT = 6379


class Redises:
    """Servers that are launched at once, for one life; `close` ends them."""

    def __init__(self, primaries: int, rnd: Random) -> None:
        self.addresses: Sequence[Address] = [(f"redis-{number}", _PORT) for number in range(primaries)]
        self._home = Home()
        self.servers: list[SimulatedRedis] = []
        for number in range(primaries):
            shard = Shard(number, self.addresses) if primaries > 1 else None
            chance = Random(rnd.getrandbits(64))
            server = SimulatedRedis(self._home, chance, system_now_ms, users=(CONSUMERS, SERVICE), shard=shard)
            self.servers.append(server)

    def start(self) -> None:
        """Returns when all of them answer; blocks."""
        for server in self.servers:
            server.start()

    def url(self, user: str) -> str:
        """Returns the URL with which somebody comes as this user."""
        host, port = self.addresses[0]
        return f"redis://{user}:{user}@{host}:{port}"

    def close(self) -> None:
        """Ends all of them, and removes their files."""
        for server in self.servers:
            server.close()
        self._home.close()
