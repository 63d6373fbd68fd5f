"""Packed items are summed as a parser of each item alone sums them, up to the greatest numbers. No Redis."""

from random import Random

import numpy as np
import pytest
from numpy.typing import NDArray

from service.store.layout.nodes import Entry, Row, pack_leaf, pack_rows
from service.store.layout.projects import user_key
from service.store.read.series_cover import LEAF, NOWHERE, ROWS, Nodes
from service.store.read.series_items import Words
from service.store.read.series_sums import SeriesSums
from service.store.redis.views import DamagedError

BORDERS = np.array([0, 10, 20, 30])
KEYS = [user_key(f"user{number}") for number in range(700)]
Point = list[int]


def entry(start_ms: int, size_bytes: int, user: bytes, status: int) -> bytes:
    """An entry as it is packed."""
    return start_ms.to_bytes(7, "little") + size_bytes.to_bytes(7, "little") + user + bytes([status])


def nodes_of(kind: int, plus: list[int], minus: list[int]) -> Nodes:
    """Nodes of one kind, the leaves of level 3 and the rows of inner nodes of level 6."""
    count, level, is_inner = len(plus), 6 if kind == ROWS else 3, kind == ROWS
    return Nodes(
        np.full(count, kind, np.int8),
        np.full(count, level, np.int8),
        np.full(count, is_inner),
        np.arange(count),
        np.array(plus, np.intp),
        np.array(minus, np.intp),
    )


def sums_of(kind: int, strings: list[bytes | None], plus: list[int], users: list[bytes] | None = None) -> list[Point]:
    """The points of whole nodes."""
    sums = SeriesSums(BORDERS)
    if users is not None:
        chosen = np.array([int.from_bytes(each, "little") for each in users], np.uint64)

        def choose(keys: Words) -> NDArray[np.bool_]:
            assert np.isin(keys, np.array([int.from_bytes(key, "little") for key in KEYS], np.uint64)).all()
            return np.isin(keys, chosen)

        sums.chosen = choose
    assert sums.add(nodes_of(kind, plus, [NOWHERE] * len(plus)), strings)
    jobs, size_bytes = sums.result()
    return [list(point) for point in zip(*jobs, size_bytes, strict=True)]


def expected(items: list[list[Row]], plus: list[int], users: list[bytes] | None = None) -> list[Point]:
    """The points by a loop over rows."""
    points = [[0] * 7 for _ in BORDERS[1:]]
    for rows, slot in zip(items, plus, strict=True):
        for row in rows:
            if users is None or row.user in users:
                for column, number in enumerate((*row.jobs, row.size_bytes)):
                    points[slot - 1][column] += number
    return points


@pytest.mark.parametrize(
    ("most_jobs", "most_bytes"), [(255, 2**56 - 1), (2**32 - 1, 2**80 - 1)], ids=["narrow", "wide"]
)
@pytest.mark.parametrize("users", [None, KEYS[3:5], []], ids=["all", "two", "none"])
def test_rows(most_jobs: int, most_bytes: int, users: list[bytes] | None) -> None:
    """Of one user and of hundreds, with the greatest numbers in each place."""
    rnd = Random(most_jobs)
    items = [
        [
            Row(key, tuple(rnd.choice((0, 1, most_jobs)) for _ in range(6)), rnd.choice((0, 1, most_bytes)))
            for key in KEYS[:count]
        ]
        for count in (1, 700, 0, 257, 256, 20)
    ]
    items.append([Row(key, (most_jobs,) * 6, most_bytes) for key in KEYS])
    plus = [1, 2, 2, 3, 1, 3, 3]
    strings: list[bytes | None] = [pack_rows(rows, is_wide=most_jobs > 255) for rows in items]
    assert sums_of(ROWS, strings, plus, users) == expected(items, plus, users)


@pytest.mark.parametrize("users", [None, KEYS[3:5]], ids=["all", "two"])
def test_entries(users: list[bytes] | None) -> None:
    """Of leaves that are full, that have no entries, or are not there."""
    rnd = Random(2)
    leaves = [
        [Entry(5, rnd.choice((0, 2**56 - 1)), rnd.choice(KEYS[:9]), rnd.randrange(6)) for _ in range(count)]
        for count in (128, 0, 1, 128)
    ]
    strings: list[bytes | None] = [None, *(pack_leaf(entry(*each) for each in leaf) for leaf in leaves)]
    items = [
        [Row(each.user, tuple(int(each.status == rank) for rank in range(6)), each.size_bytes) for each in leaf]
        for leaf in leaves
    ]
    assert sums_of(LEAF, strings, [1, 1, 2, 3, 3], users) == expected(items, [1, 2, 3, 3], users)
    assert sums_of(LEAF, [b"L"], [1]) == expected([], [])


def test_what_is_taken_off_and_not_there_is_damage() -> None:
    """A node that counts less than is taken off it gives no number."""
    sums = SeriesSums(BORDERS)
    assert sums.add(nodes_of(LEAF, [NOWHERE], [1]), [pack_leaf([entry(5, 1, KEYS[0], 1)])])
    with pytest.raises(DamagedError, match="counts less than is taken off it"):
        sums.result()


@pytest.mark.parametrize("status", [6, 7, ord("L"), 255])
def test_a_job_in_no_status_is_damage(status: int) -> None:
    """However many there are."""
    for count in (1, 16, 128):
        with pytest.raises(DamagedError, match="in no status"):
            sums_of(LEAF, [pack_leaf([entry(5, 1, KEYS[0], status)] * count)], [1])


@pytest.mark.parametrize(
    ("kind", "string"),
    [
        (LEAF, b""),
        (LEAF, b"\0"),
        (LEAF, b"r"),
        (LEAF, b"L" + bytes(20)),
        (LEAF, b"L" + bytes(21 * 129)),
        (ROWS, None),
        (ROWS, b"L"),
        (ROWS, b"x" + bytes(19)),
        (ROWS, b"r" + bytes(40)),
        (ROWS, b"R" + bytes(19)),
    ],
)
def test_strings_unlike_the_shape_are_not_added(kind: int, string: bytes | None) -> None:
    """Also where all others are as they should be."""
    right = b"r" if kind == ROWS else b"L"
    assert not SeriesSums(BORDERS).add(nodes_of(kind, [1, 1, 1], [0, 0, 0]), [right, string, right])
