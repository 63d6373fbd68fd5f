"""Covers over any tree: each job inside counted once, none outside, in few terms. No Redis."""

from collections import Counter
from collections.abc import Iterable, Iterator
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.events import MAX_MS
from service.store.cover import CHILD_LEVEL, PARENT_LEVEL, ROOT, Node, Part, Shape, Term, cover
from service.store.layout import LISTED_LEAF
from tests.store.histories import PLACES, edge, start_times
from tests.store.support import NOON_MS

LOWEST_LISTED = 36


class Tree:
    """A tree over start times, whose nodes are split at random: more than a store would, and less."""

    def __init__(self, starts: Iterable[int], rnd: Random, leaf_jobs: int) -> None:
        self.starts = Counter(starts)
        self._rnd = rnd
        self._leaf_jobs = leaf_jobs
        self.entries: list[tuple[int, int]] = []
        self._grow((ROOT, 0), sorted(self.starts.elements()))

    @property
    def shape(self) -> Shape:
        """The shape, from entries as they are stored."""
        return Shape.of(self.entries)

    def _grow(self, node: Node, starts: list[int]) -> None:
        level, index = node
        is_inner = level > 0 and (len(starts) > self._leaf_jobs or self._rnd.random() < 0.02)
        if is_inner:
            self.entries.append(node)
        elif LOWEST_LISTED <= level < ROOT:
            self.entries.append((level + LISTED_LEAF, index))
        if is_inner:
            child = CHILD_LEVEL[level]
            for at in sorted({start >> child for start in starts}):
                self._grow((child, at), [start for start in starts if start >> child == at])

    def counted(self, terms: Iterable[Term], start_ms: int, end_ms: int) -> Counter[int]:
        """How often each start time is counted by the terms; a zero is as good as nothing."""
        counts: Counter[int] = Counter()
        for (level, index), sign, part in terms:
            for start, jobs in self.starts.items():
                inside = start_ms <= start < end_ms
                if start >> level == index and (part in (Part.ROWS, Part.ENTRIES) or inside is (part is Part.INSIDE)):
                    counts[start] += sign * jobs
        return counts


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
    """The signed terms add up to one for each job in the interval, and to nothing for any other."""
    start, end = interval
    expected = Counter({at: jobs for at, jobs in tree.starts.items() if start <= at < end})
    assert tree.counted(cover(tree.shape, start, end), start, end) == expected


@settings(max_examples=300)
@given(trees(), bounds())
def test_terms_read_what_the_node_holds(tree: Tree, interval: tuple[int, int]) -> None:
    """Rows are asked of inner nodes and of single milliseconds, entries of leaves, and no string twice."""
    shape = tree.shape
    terms = cover(shape, *interval)
    assert len({term.node for term in terms}) == len(terms)
    for node, _, part in terms:
        assert (part is Part.ROWS) == (node in shape.inner or node[0] == 0)


def full_shape() -> Shape:
    """Every node on the way to one millisecond is inner, and so are all its siblings: no leaf cuts it short."""
    entries: list[tuple[int, int]] = [(ROOT, 0)]
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
    ("top", "siblings"), [(ROOT, 255 + 511 + 12 * 7), (LOWEST_LISTED, 12 * 7)], ids=["all time", "two years"]
)
def test_no_more_than_half_of_the_nodes_are_read(top: int, siblings: int) -> None:
    """A cut at any place takes the siblings on one side of it or on the other, whichever are fewer at all levels."""
    shape = full_shape()
    first = NOON_MS >> top << top
    sizes = [len(cover(shape, *each)) for each in near_noon(Random(1), first, first + (1 << top) - 1, 1_500)]
    assert max(sizes) <= siblings // 2 + 3


def test_empty_and_open_intervals() -> None:
    """Nothing is read for an empty interval, and the root alone for all time."""
    shape = full_shape()
    assert cover(shape, 5, 5) == []
    assert cover(shape, 0, MAX_MS + 1) == [Term((ROOT, 0), 1, Part.ROWS)]
