"""Covers over any tree: each job inside counted once, none outside, in few terms. No Redis."""

from collections import Counter
from collections.abc import Iterable, Iterator
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.events.event import MAX_MS
from service.store.layout.projects import LISTED_LEAF
from service.store.layout.tree import CHILD_LEVEL, LOWEST_LISTED_LEVEL, PARENT_LEVEL, TOP_LEVEL, Node, Shape
from service.store.read.cover import Cover, cover
from tests.store.histories import PLACES, edge, start_times
from tests.store.support import NOON_MS

TOPS = MAX_MS + 1 >> TOP_LEVEL  # topmost nodes that there can be
NOON_TOP = NOON_MS >> TOP_LEVEL


class Tree:
    """A tree over start times, whose nodes are split at random: more than a store would, and less."""

    def __init__(self, starts: Iterable[int], rnd: Random, leaf_jobs: int) -> None:
        self.starts = Counter(starts)
        self._rnd = rnd
        self._leaf_jobs = leaf_jobs
        self.entries: list[tuple[int, int]] = []
        self._grow_all(TOP_LEVEL, sorted(self.starts.elements()))

    @property
    def shape(self) -> Shape:
        """The shape, from entries as they are stored."""
        return Shape.of(self.entries)

    def _grow_all(self, level: int, starts: list[int]) -> None:
        groups: dict[int, list[int]] = {}
        for start in starts:
            groups.setdefault(start >> level, []).append(start)
        for index, group in groups.items():
            self._grow((level, index), group)

    def _grow(self, node: Node, starts: list[int]) -> None:
        level, index = node
        if level > 0 and (len(starts) > self._leaf_jobs or self._rnd.random() < 0.02):
            self.entries.append(node)
            self._grow_all(CHILD_LEVEL[level], starts)
        elif level >= LOWEST_LISTED_LEVEL:
            self.entries.append((level + LISTED_LEAF, index))

    def counted(self, asked: Cover, start_ms: int, end_ms: int) -> Counter[int]:
        """How often each start time is counted by a cover; a zero is as good as nothing."""
        counts: Counter[int] = Counter()
        for (level, index), sign, wanted in terms_of(asked):
            for start, jobs in self.starts.items():
                if start >> level == index and wanted in {None, start_ms <= start < end_ms}:
                    counts[start] += sign * jobs
        return counts


def terms_of(asked: Cover) -> list[tuple[Node, int, bool | None]]:
    """A cover's nodes, each with its sign, and of a leaf that is cut which side counts."""
    runs = [*[(run, 1) for run in asked.added], *[(run, -1) for run in asked.taken]]
    whole = [((level, index), sign, None) for (level, indexes), sign in runs for index in indexes]
    return [*whole, *[(cut.node, cut.sign, cut.inside) for cut in asked.cuts]]


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    """A crowd of jobs in one kind of place, and a few anywhere."""
    rnd = Random(draw(st.integers(0, 2**32)))
    place = PLACES[draw(st.sampled_from(sorted(PLACES)))]
    crowd = [place(rnd) for _ in range(draw(st.sampled_from((0, 5, 60))))]
    return Tree([*crowd, *draw(st.lists(start_times(), max_size=8))], rnd, draw(st.sampled_from((1, 4, 128))))


def bounds() -> st.SearchStrategy[tuple[int, int]]:
    """A valid interval."""
    near = st.builds(edge, st.integers(0, 2**32).map(Random), st.just(NOON_MS))
    bound = st.one_of(start_times(), near, st.just(MAX_MS + 1))
    return st.tuples(bound, bound).map(lambda pair: (min(pair), max(pair)))


@settings(max_examples=300)
@given(trees(), bounds())
def test_each_job_inside_is_counted_once(tree: Tree, interval: tuple[int, int]) -> None:
    """The signed nodes add up to one for each job in the interval, and to nothing for any other."""
    start, end = interval
    expected = Counter({at: jobs for at, jobs in tree.starts.items() if start <= at < end})
    assert tree.counted(cover(tree.shape, start, end), start, end) == expected


@settings(max_examples=300)
@given(trees(), bounds())
def test_only_leaves_are_cut_and_no_string_is_read_twice(tree: Tree, interval: tuple[int, int]) -> None:
    """A part is asked of leaves alone, on an edge of the interval; each node is there once."""
    shape = tree.shape
    asked = cover(shape, *interval)
    nodes = [node for node, _, _ in terms_of(asked)]
    assert len(set(nodes)) == len(nodes)
    for cut in asked.cuts:
        assert cut.node not in shape.inner
        assert is_cut(cut.node, *interval)


def is_cut(node: Node, start_ms: int, end_ms: int) -> bool:
    """Whether some of a node's time is inside and some is not."""
    first, end = node[1] << node[0], node[1] + 1 << node[0]
    return first < end_ms and start_ms < end and not (start_ms <= first and end <= end_ms)


def beside_cuts(shape: Shape, node: Node, interval: tuple[int, int]) -> int:
    """Nodes below a cut inner node that are beside the cuts; a cut leaf is on both sides."""
    count = 0
    for index in shape.children(node):
        child = CHILD_LEVEL[node[0]], index
        if not is_cut(child, *interval):
            count += 1
        elif child in shape.inner:
            count += beside_cuts(shape, child, interval)
        else:
            count += 2
    return count


def most_terms(shape: Shape, interval: tuple[int, int]) -> int:
    """One for a topmost node inside or a leaf that is cut; for one that is inner and cut, half of what is beside."""
    count = 0
    for index in shape.tops:
        top = TOP_LEVEL, index
        if top in shape.inner and is_cut(top, *interval):
            count += (beside_cuts(shape, top, interval) + 1) // 2
        elif index << TOP_LEVEL < interval[1] and interval[0] < index + 1 << TOP_LEVEL:
            count += 1
    return count


@settings(max_examples=300)
@given(trees(), bounds())
def test_terms_are_at_most_half_of_the_nodes_beside_the_cuts(tree: Tree, interval: tuple[int, int]) -> None:
    """In any tree and for any interval a cut node is counted from whichever side has fewer nodes."""
    assert len(terms_of(cover(tree.shape, *interval))) <= most_terms(tree.shape, interval)


def full_shape() -> Shape:
    """All topmost nodes are there. On the way to one millisecond every node is inner, and so are its siblings below
    the topmost: no leaf cuts it short.
    """
    entries = [(TOP_LEVEL + LISTED_LEAF * (index != NOON_TOP), index) for index in range(TOPS)]
    for level, parent in PARENT_LEVEL.items():
        first = NOON_MS >> parent << parent - level
        entries += [(level, first + number) for number in range(1 << parent - level)]
    return Shape.of(entries)


def near_noon(rnd: Random, lowest: int, highest: int, count: int) -> Iterator[tuple[int, int]]:
    """Intervals within bounds: an edge of some bucket around noon, and another or any time."""
    for _ in range(count):
        start, end = sorted((edge(rnd, NOON_MS), rnd.choice((edge(rnd, NOON_MS), rnd.randrange(lowest, highest)))))
        yield max(start, lowest), min(end, highest)


@pytest.mark.parametrize(
    ("top", "siblings"), [(TOP_LEVEL, 63 + 12 * 7), (LOWEST_LISTED_LEVEL, 12 * 7)], ids=["a topmost node", "two years"]
)
def test_no_more_than_half_of_the_nodes_are_read(top: int, siblings: int) -> None:
    """A cut at any place takes the siblings on one side of it or on the other, whichever are fewer at all levels."""
    shape = full_shape()
    first = NOON_MS >> top << top
    sizes = [len(terms_of(cover(shape, *each))) for each in near_noon(Random(1), first, first + (1 << top) - 1, 1_500)]
    assert max(sizes) <= siblings // 2 + 3


def test_topmost_nodes_are_read_only_if_they_touch_the_interval() -> None:
    """Beside what a cut costs, one term for each topmost node that the interval touches: 2^11 for all there can be."""
    shape = full_shape()
    most = 0
    for start, end in near_noon(Random(2), 0, MAX_MS + 1, 500):
        terms = terms_of(cover(shape, start, end))
        tops = sorted(index for (level, index), _, _ in terms if level == TOP_LEVEL and index != NOON_TOP)
        touched = range(start >> TOP_LEVEL, (end - 1 >> TOP_LEVEL) + 1) if start < end else range(0)
        assert tops == [index for index in touched if index != NOON_TOP]
        assert len(terms) - len(tops) <= (63 + 12 * 7) // 2 + 3
        most = max(most, len(terms))
    assert TOPS // 2 < most <= TOPS + (63 + 12 * 7) // 2 + 3


def test_jobs_under_many_topmost_nodes_are_counted_once() -> None:
    """Topmost nodes far apart, some inner and some leaves, add up like the nodes below one."""
    rnd = Random(4)
    tops = rnd.sample(range(TOPS), 150)
    starts = [(top << TOP_LEVEL) + rnd.randrange(1 << TOP_LEVEL) for top in tops for _ in range(rnd.choice((1, 2, 5)))]
    tree = Tree(starts, rnd, leaf_jobs=3)
    assert tree.shape.tops == set(tops)
    assert 0 < len({index for level, index in tree.shape.inner if level == TOP_LEVEL}) < len(tops)
    for _ in range(200):
        start, end = sorted(edge(rnd, rnd.choice(starts)) for _ in range(2))
        expected = Counter({at: jobs for at, jobs in tree.starts.items() if start <= at < end})
        assert tree.counted(cover(tree.shape, start, end), start, end) == expected


def test_empty_and_open_intervals() -> None:
    """Nothing is read for an empty interval or of an empty project, and the topmost nodes alone for all time."""
    shape = full_shape()
    assert cover(shape, 5, 5) == Cover()
    assert cover(Shape(), 0, MAX_MS + 1) == Cover()
    assert terms_of(cover(shape, 0, MAX_MS + 1)) == [((TOP_LEVEL, index), 1, None) for index in range(TOPS)]
