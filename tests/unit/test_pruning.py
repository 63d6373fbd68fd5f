"""Which nodes may go: those wholly before the horizon, the lowest first."""

from hypothesis import given
from hypothesis import strategies as st

from service.store.layout.projects import LISTED_LEAF, pack_shape, parse_shape
from service.store.layout.tree import CHILD_LEVEL, LEVELS, TOP_LEVEL, Node
from service.store.pruning import find_groups, without

STARTS = st.integers(0, 2**53 - 1)


def shape_of(starts: list[int], depth: int) -> list[tuple[int, int]]:
    """A shape in which the nodes around these starts are inner down to a depth, and listed leaves below them."""
    entries: list[tuple[int, int]] = []
    for level in LEVELS[:depth]:
        entries += sorted({(level, start >> level) for start in starts})
    if depth <= LEVELS.index(36):
        level = LEVELS[depth]
        entries += sorted({(level + LISTED_LEAF, start >> level) for start in starts})
    return entries


def end_of(node: Node) -> int:
    """The first instant behind a node."""
    return node[1] + 1 << node[0]


@given(st.lists(STARTS, min_size=1, max_size=9), st.integers(0, len(LEVELS)), STARTS)
def test_groups(starts: list[int], depth: int, horizon_ms: int) -> None:
    """All nodes around starts that end before the horizon go, nothing else listed, and no parent before its child."""
    entries = shape_of(starts, depth)
    order = [node for group in find_groups(entries, horizon_ms) for node in group]
    assert all(end_of(node) <= horizon_ms for node in order)
    assert len(order) == len(set(order))
    levels = LEVELS[: depth + 1]
    assert {
        (level, start >> level) for level in levels for start in starts if end_of((level, start >> level)) <= horizon_ms
    } <= set(order)
    for node in order:
        if node[0] != TOP_LEVEL:
            parent = next(level for level, child in CHILD_LEVEL.items() if child == node[0])
            above = parent, node[1] >> parent - node[0]
            assert above not in order or order.index(above) > order.index(node)
    left = without(entries, set(order))
    assert left == [entry for entry in entries if end_of((entry[0] % LISTED_LEAF, entry[1])) > horizon_ms]


@given(st.lists(st.tuples(st.integers(0, 255), st.integers(0, 2**53)), max_size=9))
def test_shapes_are_stored_as_they_are_read(entries: list[tuple[int, int]]) -> None:
    """Packing and parsing a shape are each other's inverse."""
    assert parse_shape(pack_shape(entries)) == entries
