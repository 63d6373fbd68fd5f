"""What is remembered of nodes: by the whole string and the users, and never more than so many bytes."""

import tracemalloc

import pytest

from service.store.layout.nodes import Row, pack_leaf, pack_rows
from service.store.read.node_memory import NodeMemory
from service.store.read.users import Users

KEYS = list(range(100, 500))


def node(jobs: int, keys: list[int] = KEYS) -> bytes:
    """A node in which each user has so many jobs."""
    return pack_rows([Row(key.to_bytes(6, "little"), (jobs,) + (0,) * 5, 1) for key in keys], is_wide=False)


@pytest.mark.parametrize("user_count", [10, 400])
def test_a_node_is_decoded_once(user_count: int) -> None:
    """It is found again by its key as long as its string is the same, also in another object."""
    keys = KEYS[:user_count]
    memory, users = NodeMemory(10**6), Users(keys)
    first = memory.rows("n:1", node(1, keys), users)
    assert memory.rows("n:1", bytes(bytearray(node(1, keys))), users) is first
    assert memory.rows("n:2", node(1, keys), users) is not first


@pytest.mark.parametrize("user_count", [10, 400])
def test_a_node_that_differs_in_one_byte_is_decoded_anew(user_count: int) -> None:
    """The last byte of its string decides as well as the first."""
    keys = KEYS[:user_count]
    memory, users, string = NodeMemory(10**6), Users(keys), node(1, keys)
    memory.rows("n:1", string, users)
    changed = memory.rows("n:1", string[:-1] + b"\1", users)
    assert changed is not None
    assert changed.cells[-1].tolist() == [1, 0, 0, 0, 0, 0, 1, 1 << 16, 0]
    again = memory.rows("n:1", string, users)
    assert again is not None
    assert again.cells[-1].tolist() == [1, 0, 0, 0, 0, 0, 1, 0, 0]


def test_a_node_is_decoded_anew_for_other_users() -> None:
    """Users that come between the others move their places."""
    memory = NodeMemory(10**6)
    string = node(1, KEYS[5:8])
    places = [memory.rows("n:1", string, Users(keys)) for keys in (KEYS, [1, *KEYS], KEYS)]
    assert [rows and rows.places is not None and rows.places.tolist() for rows in places] == [
        [5, 6, 7],
        [6, 7, 8],
        [5, 6, 7],
    ]


def test_leaves_of_large_projects_are_not_remembered() -> None:
    """They are few jobs beside many users; a leaf of a small project is."""
    string = pack_leaf([bytes(14) + KEYS[0].to_bytes(6, "little") + b"\1"])
    assert NodeMemory(10**6).rows("n:1", string, Users(KEYS)) is None
    assert NodeMemory(10**6).rows("n:1", string, Users(KEYS[:64])) is not None


@pytest.mark.parametrize(
    ("user_count", "rows"),
    [(20, 20), (400, 1), (400, 99), (400, 100), (400, 400)],
    ids=["small", "few", "some", "many", "all"],
)
def test_bytes_are_counted_honestly(user_count: int, rows: int) -> None:
    """A full memory takes what it says, by a tenth more or less, and never more than it may say."""
    users, most = Users(KEYS[:user_count]), 2_000_000
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        memory = NodeMemory(most)
        for number in range(20_000):
            memory.rows(f"{{s00}}:{number:032x}:n:21:{number:07}", node(number % 251, KEYS[:rows]), users)
            if memory.size_bytes > most * 0.99 and number > 10:
                break
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert memory.size_bytes <= most
    assert taken == pytest.approx(memory.size_bytes, rel=0.1)
