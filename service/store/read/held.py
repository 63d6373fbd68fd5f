"""Answers from nodes that are remembered: a look shows that nothing was written to the project since they were read.

Pure, no I/O.
"""

from collections.abc import Sequence
from typing import NamedTuple

from service.store.read.answers import administrator_body
from service.store.read.known import Known, Settled
from service.store.read.names import Names
from service.store.read.node_memory import Node
from service.store.read.sums import sum_nodes
from service.store.read.users import Users
from service.store.read.view import Asked, Look
from service.store.redis.views import DamagedError


class Held(NamedTuple):
    """The nodes that were asked for, as they were when the project was last read, and the users that they count for."""

    settled: Settled
    asked: Asked
    names: Names
    users: Users
    nodes: Sequence[Node]

    def body(self, known: Known, look: Look) -> bytes | None:
        """Returns the body of the answer at a look; None if something was written, or what is held is damaged."""
        if look.stamp != self.settled.stamp:
            known.unsettle(self.settled.stamp)
            return None
        # names may have changed meanwhile, as another question has seen a later write
        if self.names.users is not self.users or self.names.names_id != self.settled.names_id:
            return None
        try:
            return body_of(self.asked, self.nodes, self.names)
        except DamagedError:  # when it was read: whether it is now, Redis has to say
            known.unsettle(self.settled.stamp)
            return None


def body_of(asked: Asked, nodes: Sequence[Node], names: Names) -> bytes:
    """Returns the body of an administrator's answer, of what the nodes say that were asked for. Raises DamagedError."""
    return administrator_body(sum_nodes(names.users, asked.cover, asked.interval, nodes), names)
