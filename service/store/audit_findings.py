"""What an audit finds: drift, and what must be known to mend it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from service.store.audit_reads import ProjectReads, node_name
from service.store.audit_tree import Content
from service.store.cover import Node


@dataclass(frozen=True, slots=True)
class WrongBottom:
    """A leaf, or a node of one millisecond, that is not what the records of these jobs say, but for the surplus."""

    node: Node
    jobs: frozenset[bytes]
    surplus: Content


@dataclass(frozen=True, slots=True)
class WrongRows:
    """An inner node whose rows are not the sum of what lies below it."""

    node: Node


@dataclass(frozen=True, slots=True)
class WrongListing:
    """A node that is otherwise in the shape than it is."""

    node: Node


@dataclass(frozen=True, slots=True)
class WrongPlace:
    """A job's record in a hash that is not its own."""

    job: bytes
    number: int


@dataclass(frozen=True, slots=True)
class WrongCount:
    """The meta does not say how many records there are."""


Cause = WrongBottom | WrongRows | WrongListing | WrongPlace | WrongCount


@dataclass(frozen=True, slots=True)
class Drift:
    """A key of a project that is not what the rest of the project says it must be.

    Without a cause the store does not hold what it would take to mend it: that takes a rebuild.
    """

    project_id: str
    key: str
    what: str
    cause: Cause | None = field(default=None, compare=False, repr=False)


class Findings:
    """The drift of a project, collected; and, for what can be judged only in the end, what was seen on the way."""

    def __init__(self, reads: ProjectReads) -> None:
        self._reads = reads
        self.drifts: list[Drift] = []
        self.users: set[bytes] = set()  # who has rows, entries or records

    def add(self, name: str, what: str, cause: Cause | None = None) -> None:
        """A drift of a key, which is named without the project's prefix."""
        self.drifts.append(Drift(self._reads.project_id, self._reads.prefix + name, what, cause))

    def add_node(self, node: Node, what: str, cause: Cause | None = None) -> None:
        """A drift of a node."""
        self.add(node_name(node), what, cause)

    def add_content(self, node: Node, lacking: Content, surplus: Content, jobs: Mapping[bytes, bytes]) -> None:
        """A bottom node that lacks contributions of its jobs, or holds some of none."""
        what = f"lacks {lacking.total()} contributions of its jobs, has {surplus.total()} of none"
        if node[0] == 0:
            what = "has rows that are not the sum of its jobs"
        self.add_node(node, what, WrongBottom(node, frozenset(jobs), surplus))
