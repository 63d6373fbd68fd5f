"""Holds what a coordinator knows of a group's members, and what it answers them with."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum


class Code(IntEnum):
    """Lists the error codes of Kafka that a coordinator answers with."""

    NONE = 0
    UNKNOWN_TOPIC_OR_PARTITION = 3
    COORDINATOR_LOAD_IN_PROGRESS = 14
    NOT_COORDINATOR = 16
    ILLEGAL_GENERATION = 22
    INCONSISTENT_GROUP_PROTOCOL = 23
    INVALID_GROUP_ID = 24
    UNKNOWN_MEMBER_ID = 25
    INVALID_SESSION_TIMEOUT = 26
    REBALANCE_IN_PROGRESS = 27
    MEMBER_ID_REQUIRED = 79


class State(Enum):
    """Lists the states of a group."""

    EMPTY = "empty"
    PREPARING = "preparing rebalance"
    COMPLETING = "completing rebalance"
    STABLE = "stable"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Joined:
    """Holds the answer to a JoinGroup; only the leader gets the members, each with its metadata."""

    code: Code
    member_id: str
    generation: int = -1
    protocol: str = ""
    leader: str = ""
    members: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Joining:
    """Holds what a member says of itself in a JoinGroup; `protocols` are in the order of its preference."""

    session_timeout_ms: int
    rebalance_timeout_ms: int
    protocols: Mapping[str, bytes]

    def is_same(self, other: "Joining") -> bool:
        """Returns whether the other has the same protocols in the same order: nothing to assign anew for."""
        return list(self.protocols.items()) == list(other.protocols.items())


@dataclass(slots=True)
class Member:
    """Holds one member; who is new has not been told of a generation yet."""

    id: str
    said: Joining
    expires_ms: float
    answer_join: Callable[[Joined], None] | None = None
    answer_sync: Callable[[Code, bytes], None] | None = None
    is_new: bool = True
    assignment: bytes = b""


@dataclass(frozen=True, slots=True)
class Stored:
    """Holds what of a group is in the offsets topic: its last generation that was assigned, or that was empty."""

    generation: int = 0
    protocol: str = ""
    leader: str = ""
    members: tuple[tuple[str, Joining, bytes], ...] = ()


def supports(members: Iterable[Member], protocols: Iterable[str]) -> bool:
    """Returns whether one of these protocols is one that all members have."""
    return any(all(name in each.said.protocols for each in members) for name in protocols)


def choose_protocol(members: Collection[Member]) -> str:
    """Returns the protocol that most members prefer, of those that all have."""
    first = next(iter(members))
    common = [name for name in first.said.protocols if supports(members, [name])]
    votes = Counter(next(name for name in each.said.protocols if name in common) for each in members)
    return max(common, key=lambda name: votes[name])
