"""What an audit finds: drift, and what must be known to mend it."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field

from service.store.audit.reads import ProjectReads, node_name
from service.store.audit.tree import Content
from service.store.layout.tree import Node


@dataclass(frozen=True, slots=True)
class WrongNode:
    """A node that is not what lies below it, or what the records say, or what the shape lists; or no node at all.

    Of a bottom node: the jobs whose records say what it must hold, and what it holds beyond that.
    """

    node: Node
    jobs: frozenset[bytes] = frozenset()
    surplus: Content = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class WrongShape:
    """A shape that has more in it than nodes that there can be, or that is of a foreign type."""


@dataclass(frozen=True, slots=True)
class WrongPlace:
    """A job's record in a hash that is not its own."""

    job: bytes
    number: int


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A write of the project ended in part."""


@dataclass(frozen=True, slots=True)
class WrongCount:
    """The meta does not say how many records there are."""


@dataclass(frozen=True, slots=True)
class WrongMembers:
    """The list of a stripe's projects lacks some, or has members that are none; or it is no list at all."""

    key: str
    lacking: frozenset[str] = frozenset()
    surplus: frozenset[bytes] = frozenset()
    is_foreign: bool = False


@dataclass(frozen=True, slots=True)
class WrongTotals:
    """The totals of a stripe are not what its projects count, or not known."""

    stripe: int


Cause = WrongNode | WrongShape | WrongPlace | WrongCount | WrongMembers | WrongTotals | Unfinished


@dataclass(frozen=True, slots=True)
class Drift:
    """A key of a project, or (without a project) of a stripe, that is not what the rest says it must be.

    Without a cause the store does not hold what it would take to mend it: that takes a rebuild.
    """

    project_id: str | None
    key: str
    what: str
    cause: Cause | None = field(default=None, compare=False, repr=False)


class Findings:
    """The drift of a project, collected; and what was seen of records and users on the way."""

    def __init__(self, reads: ProjectReads) -> None:
        self._reads = reads
        self.drifts: list[Drift] = []
        self.users: set[bytes] = set()  # who has rows, entries or records
        self.are_records_lost = False  # then what nodes have beyond the records may be right

    def add(self, name: str, what: str, cause: Cause | None = None) -> None:
        """Adds a drift of a key, which is named without the project's prefix."""
        self.drifts.append(Drift(self._reads.project_id, self._reads.prefix + name, what, cause))

    def add_node(self, node: Node, what: str) -> None:
        """Adds a drift of a node that is mended from what is stored beside it."""
        self.add(node_name(node), what, WrongNode(node))

    def add_content(self, node: Node, lacking: Content, surplus: Content, jobs: Collection[bytes]) -> None:
        """Adds the drift of a bottom node that lacks contributions of its jobs, or holds some of none.

        Where records are lost its surplus may be what they said: to take it out would lose what is counted.
        """
        what = f"lacks {lacking.total()} contributions of its jobs, has {surplus.total()} of none"
        if node[0] == 0:
            what = "has rows that are not the sum of its jobs"
        removable = Counter() if self.are_records_lost else surplus
        self.add(node_name(node), what, WrongNode(node, frozenset(jobs), removable) if lacking or removable else None)
