"""What an audit finds: drift, and what must be known to mend it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from service.store.audit.reads import ProjectReads, node_name, place_of
from service.store.audit.tree import Content
from service.store.layout.records import job_hash
from service.store.layout.tree import Node


@dataclass(frozen=True, slots=True)
class WrongBottom:
    """A leaf, or a node of one millisecond, that is not what the records of these jobs say, but for the surplus."""

    node: Node
    jobs: frozenset[bytes]
    surplus: Content
    is_lacking: bool = True


@dataclass(frozen=True, slots=True)
class WrongRows:
    """An inner node whose rows are not the sum of what lies below it."""

    node: Node


@dataclass(frozen=True, slots=True)
class WrongListing:
    """A node that is otherwise in the shape than it is."""

    node: Node


@dataclass(frozen=True, slots=True)
class WrongShape:
    """A shape that has more in it than nodes that there can be."""


@dataclass(frozen=True, slots=True)
class WrongType:
    """A value of a foreign type in the place of a string that can be made anew."""

    name: str


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


Cause = (
    WrongBottom
    | WrongRows
    | WrongListing
    | WrongShape
    | WrongType
    | WrongPlace
    | WrongCount
    | WrongMembers
    | Unfinished
)


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
    """The drift of a project, collected; and, for what can be judged only in the end, what was seen on the way."""

    def __init__(self, reads: ProjectReads) -> None:
        self._reads = reads
        self.drifts: list[Drift] = []
        self.users: set[bytes] = set()  # who has rows, entries or records
        self.foreign_hashes: set[int] = set()
        self.are_records_lost = False  # then what nodes have beyond the records may be right

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
        self.add_node(node, what, WrongBottom(node, frozenset(jobs), surplus, bool(lacking)))

    def keep_what_records_do_not_tell(self, hashes: int) -> None:
        """Takes back causes where to mend would lose what is counted, or could not be done, as records are lost."""
        self.drifts = [replace(drift, cause=self._remaining(drift.cause, hashes)) for drift in self.drifts]

    def _remaining(self, cause: Cause | None, hashes: int) -> Cause | None:
        match cause:
            case WrongPlace(job) if place_of(job_hash(job), hashes) in self.foreign_hashes:
                return None
            case WrongBottom(node, jobs, surplus, is_lacking) if self.are_records_lost and surplus:
                return WrongBottom(node, jobs, Counter()) if is_lacking else None
            case _:
                return cause
