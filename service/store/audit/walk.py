"""The walk down a project's tree: each inner node against what lies right below it.

A node and its children are read at one instant, so a difference between them is drift and never a write under way.
"""

from collections import deque
from collections.abc import Iterable

from service.store.audit.findings import Findings, WrongNode
from service.store.audit.reads import ProjectReads, node_name
from service.store.audit.tree import content_of, differing_users, digest_of, form_problems, is_inner, sum_of, sum_of_all
from service.store.layout.sizes import string_bytes
from service.store.layout.tree import LOWEST_LISTED_LEVEL, TOP_LEVEL, Node, possible_children

_READ_BYTES = 1 << 17  # decoding it takes some milliseconds, in which nobody else of the process has a turn
_LEAVES_BYTES = 24_576  # of eight full ones


class Walk:
    """Walks down a tree, and keeps what there was on the way."""

    def __init__(self, reads: ProjectReads, findings: Findings) -> None:
        self._reads = reads
        self._findings = findings
        self._pending: deque[tuple[Node, int]] = deque()  # inner nodes, and the bytes that a look below takes
        self.inner: set[Node] = set()
        self.listed: set[Node] = set()  # nodes of the levels that the shape lists
        self.bottoms: dict[Node, int] = {}  # digests

    async def run(self, tops: Iterable[int]) -> None:
        """Walks down from these topmost nodes. Raises what ProjectReads raises."""
        nodes = [(TOP_LEVEL, index) for index in sorted(tops)]
        strings = await self._reads.strings(nodes)
        for node in nodes:
            self._take(node, strings.get(node))
        await self._check_types([node for node in nodes if node not in strings])
        while self._pending:
            parents: list[Node] = []
            size = 0
            while self._pending and (not parents or size + self._pending[0][1] <= _READ_BYTES):
                node, node_bytes = self._pending.popleft()
                parents.append(node)
                size += node_bytes
            await self._look_below(parents)

    async def _look_below(self, parents: list[Node]) -> None:
        nodes = [node for parent in parents for node in (parent, *possible_children(parent))]
        view = await self._reads.view([node_name(node) for node in nodes])
        strings = dict(zip(nodes, view.strings, strict=True))
        for parent in parents:
            string = strings[parent]
            if string is None or not is_inner(parent, string):  # another hand has been here since
                self._take(parent, string)
                continue
            children = list(possible_children(parent))
            self._check_sums(parent, string, [strings[child] or b"" for child in children])
            self.inner.add(parent)
            for child in children:
                self._take(child, strings[child])
        await self._check_types([node for node in nodes if strings[node] is None])

    async def _check_types(self, absent: list[Node]) -> None:
        """Looks for values of another type: they read as absent."""
        names = {node_name(node): node for node in absent}
        for name, kind in (await self._reads.foreign(list(names))).items():
            self._findings.add(name, f"is a {kind}, and no node", WrongNode(names[name]))

    def _check_sums(self, parent: Node, string: bytes, children: list[bytes]) -> None:
        below, rows = sum_of_all(children), sum_of(string)
        self._findings.users.update(user for user, _ in below | rows)
        users = differing_users(rows, below)
        if users:
            self._findings.add_node(parent, f"has rows that are not the sum of what lies below, of {len(users)} users")

    def _take(self, node: Node, string: bytes | None) -> None:
        if string is None:
            self.bottoms[node] = 0
            return
        key_bytes = len(self._reads.prefix) + len(node_name(node))
        self._reads.sizes["nodes"] += string_bytes(key_bytes, len(string))
        for what in form_problems(node, string):
            self._findings.add_node(node, what)
        if node[0] >= LOWEST_LISTED_LEVEL:
            self.listed.add(node)
        if is_inner(node, string):
            self._pending.append((node, 9 * len(string) + _LEAVES_BYTES))
        else:
            self.bottoms[node] = digest_of(content_of(node, string))
            self._findings.users.update(user for user, _ in sum_of(string))
