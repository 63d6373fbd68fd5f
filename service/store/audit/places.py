"""Which bottom node a start time belongs into, and which of these nodes hold what the records say. Pure."""

from bisect import bisect_right
from collections.abc import Collection, Mapping

from service.store.audit.tree import SIZE
from service.store.layout.nodes import parse_entry
from service.store.layout.tree import Node, span_of


class Places:
    """Finds bottom nodes, of which none lies within another, by start times."""

    def __init__(self, nodes: Collection[Node]) -> None:
        self._nodes = sorted(nodes, key=lambda node: span_of(node).start)
        self._starts = [span_of(node).start for node in self._nodes]

    def node_of(self, start_ms: int) -> Node | None:
        """Returns the node that holds the jobs that start then, if it is one of these."""
        at = bisect_right(self._starts, start_ms) - 1
        return self._nodes[at] if at >= 0 and start_ms in span_of(self._nodes[at]) else None


class Digests:
    """Compares what bottom nodes hold with what records say, by a number for each node (see tree.digest_of).

    The number is a sum over entries, so it is built up record by record, in any order, however many jobs a node has.
    """

    def __init__(self, held: Mapping[Node, int]) -> None:
        self._places = Places(held)
        self._left = dict(held)  # what the records have not told yet

    def take(self, start_ms: int, entry: bytes) -> bool:
        """Counts what a record contributes; returns False if it belongs into none of the nodes."""
        node = self._places.node_of(start_ms)
        if node is None:
            return False
        if node[0] > 0:
            self._left[node] -= hash(entry)
        else:
            _, size_bytes, user, status = parse_entry(entry)
            self._left[node] -= hash((user, status)) + hash((user, SIZE)) * size_bytes
        return True

    def differing(self) -> list[Node]:
        """Returns the nodes that hold something else than the records say, or did so when they were read."""
        return [node for node, left in self._left.items() if left]
