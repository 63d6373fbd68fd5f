"""The shape of a project against its nodes.

What the walk down the tree saw of the shape may have changed since; each node in doubt is therefore read again,
together with the shape.
"""

from collections import Counter

from service.events.event import MAX_MS
from service.store.audit.findings import Findings, WrongNode, WrongShape
from service.store.audit.reads import ProjectReads, chunks, node_name
from service.store.audit.tree import is_inner
from service.store.audit.walk import Walk
from service.store.layout.projects import LISTED_LEAF, SHAPE_ENTRY_BYTES, parse_shape
from service.store.layout.tree import LEVELS, LOWEST_LISTED_LEVEL, TOP_LEVEL, Node, Shape, path_of

_EVERY_TOP = [(TOP_LEVEL, index) for index in range((MAX_MS >> TOP_LEVEL) + 1)]
_LEVELS = {*LEVELS[:-1], TOP_LEVEL + LISTED_LEAF, LOWEST_LISTED_LEVEL + LISTED_LEAF}


def listed_entries(data: bytes | None) -> list[tuple[int, int]]:
    """Returns the entries of a shape's string, each once, that are of nodes that there can be."""
    whole = data[: len(data) // SHAPE_ENTRY_BYTES * SHAPE_ENTRY_BYTES] if data else b""
    return list(dict.fromkeys(filter(_can_be, parse_shape(whole))))


def _can_be(entry: tuple[int, int]) -> bool:
    level, index = entry
    return level in _LEVELS and index <= MAX_MS >> level % LISTED_LEAF


def _listed_by(shape: Shape) -> set[Node]:
    """Returns the nodes that a shape lists, inner ones and leaves, at the levels where it lists both."""
    below = {(LOWEST_LISTED_LEVEL, index) for each in shape.listed.values() for index in each}
    return below | {(TOP_LEVEL, index) for index in shape.tops}


async def check_shape(reads: ProjectReads, walk: Walk, findings: Findings) -> None:
    """Compares the shape with the nodes that were met. Raises what ProjectReads raises."""
    [data] = (await reads.view(["s"])).strings
    _check_form(data or b"", findings)
    shape = Shape.of(listed_entries(data))
    doubtful = (shape.inner ^ walk.inner) | (_listed_by(shape) ^ walk.listed)
    if doubtful or not shape.tops:
        # no record leads to one without jobs; were it left out, so would be the next job that starts there
        doubtful |= {node for node in await reads.strings(_EVERY_TOP) if node[1] not in shape.tops}
    for nodes in chunks(sorted(doubtful), 200):
        above = {node: path_of(node)[0] for node in nodes if node[0] < TOP_LEVEL}
        wanted = [*nodes, *above.values()]
        view = await reads.view(["s", *map(node_name, wanted)])
        shape = Shape.of(listed_entries(view.strings[0]))
        listed, strings = _listed_by(shape), dict(zip(wanted, view.strings[1:], strict=True))
        for node in nodes:
            _check_listing(node, strings[node], shape, listed, findings)
            if node in above and strings[node] is not None and not is_inner(above[node], strings[above[node]]):
                findings.add(node_name(node), f"has no inner node above it at {node_name(above[node])}")


def _check_form(data: bytes, findings: Findings) -> None:
    if len(data) % SHAPE_ENTRY_BYTES:
        findings.add("s", f"has {len(data)} bytes, which is no number of entries", WrongShape())
        data = data[: -(len(data) % SHAPE_ENTRY_BYTES)]
    entries = Counter(parse_shape(data))
    for level, index in sorted(entry for entry in entries if not _can_be(entry)):
        findings.add("s", f"lists a node of level {level}, index {index}, which there cannot be", WrongShape())
    if any(times > 1 for times in entries.values()):
        findings.add("s", "lists a node twice", WrongShape())


def _check_listing(node: Node, string: bytes | None, shape: Shape, listed: set[Node], findings: Findings) -> None:
    is_there = is_inner(node, string)
    if is_there != (node in shape.inner):
        findings.add("s", f"{'lacks' if is_there else 'lists'} inner node {node_name(node)}", WrongNode(node))
    if node[0] >= LOWEST_LISTED_LEVEL and (string is not None) != (node in listed):
        what = f"{'lacks' if string is not None else 'lists'} node {node_name(node)}"
        findings.add("s", what, WrongNode(node))
