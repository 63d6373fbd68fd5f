"""The nodes of a series over any tree: each job counts once, in its own interval, and no node is there twice."""

from bisect import bisect_right
from collections import Counter
from random import Random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from service.store.layout.projects import pack_shape
from service.store.layout.tree import LEVELS
from service.store.read.cover import cover
from service.store.read.series_cover import LEAF, ROWS, Nodes, find_nodes
from service.store.read.series_levels import Levels
from tests.store.histories import PLACES, start_times
from tests.store.series import make_borders
from tests.store.support import event
from tests.store.test_cover import Tree


def counted(nodes: Nodes, tree: Tree, borders: list[int]) -> Counter[tuple[int, int]]:
    """How often each start time is counted in each slot of the series; a zero is as good as nothing."""
    counts: Counter[tuple[int, int]] = Counter()
    columns = zip(nodes.kind, nodes.level, nodes.index, nodes.plus, nodes.minus, strict=True)
    for kind, level, index, plus, minus in columns:
        for start, jobs in tree.starts.items():
            if start >> int(level) == index:
                slot = bisect_right(borders, start)
                counts[slot if kind < LEAF else int(plus), start] += jobs
                counts[int(minus), start] -= jobs
    return counts


@settings(max_examples=150)
@given(
    st.lists(start_times(), max_size=12),
    st.sampled_from(sorted(PLACES)),
    st.sampled_from((0, 30, 200)),
    st.sampled_from((1, 5, 40)),
    st.integers(0, 2**32),
)
def test_each_job_counts_once_in_its_interval(
    starts: list[int], place: str, jobs: int, leaf_jobs: int, seed: int
) -> None:
    """Whole, subtracted, or by entries; what lies outside of the borders does not matter."""
    rnd = Random(seed)
    starts = [*starts, *(PLACES[place](rnd) for _ in range(jobs))]
    tree = Tree(starts, rnd, leaf_jobs)
    borders = make_borders(rnd, [event(job, start_time_ms=start) for job, start in enumerate(starts)])
    nodes = find_nodes(Levels.of(pack_shape(tree.entries)), np.array(borders))
    assert len(set(zip(nodes.level.tolist(), nodes.index.tolist(), strict=True))) == len(nodes)
    assert nodes.kind.tolist() == sorted(nodes.kind.tolist())
    counts = counted(nodes, tree, borders)
    for slot in range(1, len(borders)):
        for start, count in tree.starts.items():
            assert counts[slot, start] == count * (bisect_right(borders, start) == slot)
    inner = set(tree.entries)
    for kind, level, index, is_inner in zip(nodes.kind, nodes.level, nodes.index, nodes.is_inner, strict=True):
        assert is_inner == ((int(level), int(index)) in inner)
        assert (kind == ROWS) == (is_inner or level == 0)


def test_two_borders_need_hardly_more_than_a_cover() -> None:
    """A series of one interval reads about what the statistics of the interval read; many share what they read."""
    rnd = Random(1)
    starts = [PLACES["two years"](rnd) for _ in range(5_000)]
    tree = Tree(starts, rnd, 16)
    levels = Levels.of(pack_shape(tree.entries))
    for _ in range(50):
        start, end = sorted(rnd.sample(starts, 2))
        asked = cover(tree.shape, start, end)
        terms = sum(len(indexes) for _, indexes in (*asked.added, *asked.taken)) + len(asked.cuts)
        assert len(find_nodes(levels, np.array([start, end]))) <= terms + 2 * len(LEVELS)
    borders = np.array(sorted(rnd.sample(starts, 500)))
    assert len(find_nodes(levels, borders)) < 500 * 5
    assert LEAF in find_nodes(levels, borders).kind
