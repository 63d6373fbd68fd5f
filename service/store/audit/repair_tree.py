"""What the nodes of a project must be, from its job records and from each other. Pure: works on strings in hand."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping

from service.store.audit.tree import (
    Content,
    Sums,
    content_of,
    content_of_records,
    differing_users,
    form_problems,
    is_inner,
    pack_sums,
    sum_of,
    sum_of_all,
    sum_of_entries,
)
from service.store.layout.nodes import LEAF_JOBS, pack_leaf, parse_entry
from service.store.layout.projects import LISTED_LEAF, pack_shape
from service.store.layout.tree import CHILD_LEVEL, LOWEST_LISTED_LEVEL, Node, path_of, possible_children, span_of

_PLANTED_JOBS = 2_000  # more are not put into place all at once, if they need not be


class Mending:
    """Changes the strings of some nodes, with those of all that bears on them in hand."""

    def __init__(self, strings: Mapping[Node, bytes | None], shape: Iterable[tuple[int, int]]) -> None:
        self._strings = dict(strings)
        self.changed: dict[Node, bytes | None] = {}  # None: is deleted
        self.shape = dict.fromkeys(shape)  # each entry once, in order

    def shape_data(self) -> bytes:
        """Returns the shape's string."""
        return pack_shape(self.shape)

    def mend(self, node: Node, records: Collection[bytes], surplus: Content) -> None:
        """Makes a node, and each above it, what lies below it or what these records say, and lists it as what it is.

        The surplus is taken out of a bottom node as far as it is still there.
        """
        before = self._strings.get(node)
        if is_inner(node, before) or (self._is_lost_inner(node) and not 0 < len(records) <= _PLANTED_JOBS):
            self._sum_up(node)
        else:
            self._fill(node, records, surplus)
        string = self._strings.get(node)
        self._list(node, is_inner(node, string), string is not None)
        if string != before:
            for above in path_of(node):
                self._sum_up(above)

    def _is_lost_inner(self, node: Node) -> bool:
        """Checks whether the shape and a node below say that this one was inner."""
        is_lost = node in self.shape and not is_inner(node, self._strings.get(node))
        return is_lost and any(self._strings.get(child) is not None for child in possible_children(node))

    def _sum_up(self, node: Node) -> None:
        string = self._strings.get(node) or b""
        children = [self._strings.get(child) or b"" for child in possible_children(node)]
        below = sum_of_all(children)
        if not is_inner(node, string) or list(form_problems(node, string)) or differing_users(sum_of(string), below):
            is_wide = any(each.startswith(b"R") for each in (string, *children))
            self._set(node, pack_sums(below, is_wide=is_wide))
            self._list(node, is_inner=True, is_there=True)

    def _fill(self, node: Node, records: Collection[bytes], surplus: Content) -> None:
        """Adds to a bottom node what it lacks of these jobs, and takes out the surplus."""
        string = self._strings.get(node)
        held, asked = content_of(node, string or b""), content_of_records(node, records)
        wanted = (held - ((held - asked) & surplus)) | asked
        if wanted == held and (string is None or not list(form_problems(node, string))):
            return
        if node[0] == 0:
            sums: Sums = Counter({key: value for key, value in wanted.items() if isinstance(key, tuple)})
            self._set(node, pack_sums(sums, is_wide=(string or b"").startswith(b"R")))
            return
        if node in self.shape:  # it was inner, and what lay below it comes anew
            self._clear_below(node)
        self._plant(node, [entry for entry in wanted.elements() if isinstance(entry, bytes)])

    def _plant(self, node: Node, entries: list[bytes]) -> None:
        """Makes a node and all below it of entries, as the script that applies a batch does it."""
        level = node[0]
        if level > 0 and len(entries) <= LEAF_JOBS:
            self._set(node, pack_leaf(entries))
            self._list(node, is_inner=False, is_there=True)
            return
        self._set(node, pack_sums(sum_of_entries(entries), is_wide=False))
        if level > 0:
            self._list(node, is_inner=True, is_there=True)
            groups: defaultdict[int, list[bytes]] = defaultdict(list)
            for entry in entries:
                groups[parse_entry(entry).start_ms >> CHILD_LEVEL[level]].append(entry)
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
        """Lists a node in the shape as what it is. An inner node may keep the entry of the leaf that it was."""
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
