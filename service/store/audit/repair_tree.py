"""What the nodes of a project must be, from its job records and from each other. Pure: works on strings in hand."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping

from service.store.audit.tree import (
    COUNT_BYTES,
    SIZE,
    Content,
    Sums,
    content_of,
    content_of_records,
    differing_users,
    form_problems,
    is_inner,
    parent_of,
    possible_children,
    span_of,
    sum_of,
    sum_of_entries,
)
from service.store.layout.nodes import LEAF_JOBS, ROW_BYTES
from service.store.layout.projects import LISTED_LEAF, pack_shape
from service.store.layout.tree import CHILD_LEVEL, LOWEST_LISTED_LEVEL, TOP_LEVEL, Node

_PLANTED_JOBS = 2_000  # more are not put into place all at once, if they need not be
_NARROW_JOBS, _NARROW_BYTES = 1 << 8, 1 << 56


def pack_rows(sums: Sums, wide: bool) -> bytes:
    """A node's string of rows, without users who have no jobs; narrow if every row fits and wide is not asked for."""
    users = sorted(
        {user for (user, _), value in sums.items() if value}, key=lambda user: int.from_bytes(user, "little")
    )
    columns = {column: [sums[user, column] for user in users] for column in (*range(6), SIZE)}
    sizes = columns.pop(SIZE)
    fits = (
        all(n < _NARROW_JOBS for counts in columns.values() for n in counts) and max(sizes, default=0) < _NARROW_BYTES
    )
    marker = b"r" if fits and not wide else b"R"
    width = ROW_BYTES[marker]
    number = COUNT_BYTES[width]
    parts = [marker]
    for user, size, *counts in zip(users, sizes, *columns.values(), strict=True):
        parts += [
            user,
            *[n.to_bytes(number, "little") for n in counts],
            size.to_bytes(width - 6 - 6 * number, "little"),
        ]
    return b"".join(parts)


def path_of(node: Node) -> list[Node]:
    """The nodes above one, from right above it to the topmost."""
    path = []
    while node[0] < TOP_LEVEL:
        node = parent_of(node)
        path.append(node)
    return path


class Mending:
    """The strings of some nodes and of all that bears on them, and what is changed in them."""

    def __init__(self, strings: Mapping[Node, bytes | None], shape: Iterable[tuple[int, int]]) -> None:
        self._strings = dict(strings)
        self.changed: dict[Node, bytes | None] = {}  # None: is deleted
        self.shape = dict.fromkeys(shape)  # each entry once, in order

    def shape_data(self) -> bytes:
        """The shape's string."""
        return pack_shape(self.shape)

    def mend_bottom(self, node: Node, records: Collection[bytes], surplus: Content) -> None:
        """Adds to a bottom node what it lacks of these jobs, and takes the surplus out, as far as it is still there."""
        string = self._strings.get(node) or b""
        if len(records) > _PLANTED_JOBS and self._is_lost_inner(node):
            self.mend_rows(node)  # by what lies below it, which is looked at again
        elif node[0] == 0 or not is_inner(string):  # else it has split meanwhile
            held, asked = content_of(node, string), content_of_records(node, records)
            wanted = held - ((held - asked) & surplus) + (asked - held)
            if wanted != +held or list(form_problems(node, string)):
                self._set_bottom(node, wanted, string)
                self._mend_above(node)

    def mend_rows(self, node: Node) -> None:
        """Makes an inner node, and each above it, the sum of what lies below."""
        self._sum_up(node)
        self._mend_above(node)

    def mend_listing(self, node: Node) -> None:
        """Lists a node in the shape as what it is."""
        if self._is_lost_inner(node):
            self.mend_rows(node)
        string = self._strings.get(node)
        self._list(node, node[0] > 0 and is_inner(string), string is not None)

    def _is_lost_inner(self, node: Node) -> bool:
        """Whether the shape and a node below say that this one was inner."""
        is_lost = node in self.shape and not is_inner(self._strings.get(node))
        return is_lost and any(self._strings.get(child) is not None for child in possible_children(node))

    def _mend_above(self, node: Node) -> None:
        for above in path_of(node):
            self._sum_up(above)

    def _sum_up(self, node: Node) -> None:
        string = self._strings.get(node) or b""
        children = [self._strings.get(child) or b"" for child in possible_children(node)]
        below: Sums = Counter()
        for child in children:
            below.update(sum_of(child))
        if not is_inner(string) or list(form_problems(node, string)) or differing_users(sum_of(string), below):
            wide = any(each.startswith(b"R") for each in (string, *children))
            self._set(node, pack_rows(below, wide))
            self._list(node, is_inner=True, is_there=True)

    def _set_bottom(self, node: Node, wanted: Content, string: bytes) -> None:
        if node[0] == 0:
            sums: Sums = Counter({key: value for key, value in wanted.items() if isinstance(key, tuple)})
            self._set(node, pack_rows(sums, string.startswith(b"R")))
            return
        if node in self.shape:  # it was inner, and what lay below it comes anew
            self._clear_below(node)
        self._plant(node, [entry for entry in wanted.elements() if isinstance(entry, bytes)])

    def _plant(self, node: Node, entries: list[bytes]) -> None:
        """Entries as a node and all below it, as the script that applies a batch does it."""
        level = node[0]
        if level > 0 and len(entries) <= LEAF_JOBS:
            self._set(node, b"L" + b"".join(entries))
            self._list(node, is_inner=False, is_there=True)
            return
        self._set(node, pack_rows(sum_of_entries(entries), wide=False))
        if level > 0:
            self._list(node, is_inner=True, is_there=True)
            groups: defaultdict[int, list[bytes]] = defaultdict(list)
            for entry in entries:
                groups[int.from_bytes(entry[:7], "little") >> CHILD_LEVEL[level]].append(entry)
            for index, group in groups.items():
                self._plant((CHILD_LEVEL[level], index), group)

    def _clear_below(self, node: Node) -> None:
        span = span_of(node)
        inner = [each for each in self.shape if each[0] < node[0] and each[1] << each[0] in span]
        for each in [node, *inner]:
            for child in possible_children(each):
                self._set(child, None)
                self._list(child, is_inner=False, is_there=False)

    def _set(self, node: Node, string: bytes | None) -> None:
        self._strings[node] = self.changed[node] = string

    def _list(self, node: Node, is_inner: bool, is_there: bool) -> None:
        """An inner node may keep the entry of the leaf that it was."""
        level, index = node
        leaf = level + LISTED_LEAF, index
        if is_inner:
            self.shape[node] = None
        else:
            self.shape.pop(node, None)
        if level >= LOWEST_LISTED_LEVEL and is_there and not is_inner:
            self.shape[leaf] = None
        elif not is_there:
            self.shape.pop(leaf, None)
