"""What is remembered of nodes: by the whole string and the users, and never more than so many bytes."""

import tracemalloc

import numpy as np
import pytest

from service.store.layout.heads import Live
from service.store.layout.nodes import Row, pack_leaf, pack_rows
from service.store.read.answer_cache import Stamp
from service.store.read.node_memory import Node, NodeMemory
from service.store.read.node_rows import COLUMNS, Entries, Rows
from service.store.read.users import Users

KEYS = list(range(100, 500))


def entry(start_ms: int, key: int) -> bytes:
    """A running job of the user with this key."""
    return start_ms.to_bytes(7, "little") + bytes(7) + key.to_bytes(6, "little") + b"\1"


def node(jobs: int, keys: list[int] = KEYS) -> bytes:
    """A node in which each user has so many jobs."""
    return pack_rows([Row(key.to_bytes(6, "little"), (jobs,) + (0,) * 5, 1) for key in keys], is_wide=False)


def node_of(memory: NodeMemory, key: str, string: bytes, users: Users) -> Node:
    """What a node says that is read alone; each has a stamp of its own."""
    [found] = memory.nodes([key], [string], users, Stamp(key.encode(), Live()))
    return found


@pytest.mark.parametrize("user_count", [10, 400])
def test_a_node_is_decoded_once(user_count: int) -> None:
    """It is found again by its key as long as its string is the same, also in another object."""
    keys = KEYS[:user_count]
    memory, users = NodeMemory(10**6), Users(keys)
    first = node_of(memory, "n:1", node(1, keys), users)
    assert node_of(memory, "n:1", bytes(bytearray(node(1, keys))), users) is first
    assert node_of(memory, "n:2", node(1, keys), users) is not first


@pytest.mark.parametrize("user_count", [10, 400])
def test_a_node_that_differs_in_one_byte_is_decoded_anew(user_count: int) -> None:
    """The last byte of its string decides as well as the first."""
    keys = KEYS[:user_count]
    memory, users, string = NodeMemory(10**6), Users(keys), node(1, keys)
    node_of(memory, "n:1", string, users)
    changed = node_of(memory, "n:1", string[:-1] + b"\1", users)
    assert isinstance(changed, Rows)
    assert changed.cells[-1].tolist() == [1, 0, 0, 0, 0, 0, 1, 1 << 16, 0]
    again = node_of(memory, "n:1", string, users)
    assert isinstance(again, Rows)
    assert again.cells[-1].tolist() == [1, 0, 0, 0, 0, 0, 1, 0, 0]


def test_a_node_is_decoded_anew_for_other_users() -> None:
    """Users that come between the others move their places."""
    memory = NodeMemory(10**6)
    string = node(1, KEYS[5:8])
    for keys, places in ((KEYS, [5, 6, 7]), ([1, *KEYS], [6, 7, 8]), (KEYS, [5, 6, 7])):
        rows = node_of(memory, "n:1", string, Users(keys))
        assert isinstance(rows, Rows)
        assert rows.places is not None
        assert rows.places.tolist() == places


@pytest.mark.parametrize("user_count", [10, 400])
def test_a_leaf_is_decoded_in_the_order_of_starts(user_count: int) -> None:
    """However its entries lie in it, an interval has those that start in it; the leaf is decoded once."""
    memory, users = NodeMemory(10**6), Users(KEYS[:user_count])
    starts_ms = [5, 3, 9, 3, 7]
    string = pack_leaf([entry(start_ms, KEYS[start_ms]) for start_ms in starts_ms])
    leaf = node_of(memory, "n:1", string, users)
    assert node_of(memory, "n:1", bytes(bytearray(string)), users) is leaf
    assert isinstance(leaf, Entries)
    for inside, jobs in ((True, {3: 2, 5: 1}), (False, {7: 1, 9: 1})):
        total = np.zeros((user_count, COLUMNS), np.int64)
        leaf.add_part(total, 1, np.array((3, 7)), inside=inside)
        assert {user: count for user, count in enumerate(total[:, 1].tolist()) if count} == jobs
    total = np.zeros((user_count, COLUMNS), np.int64)
    for sign in (1, 1, -1):
        leaf.add(total, sign)
    assert {user: count for user, count in enumerate(total[:, 1].tolist()) if count} == {3: 2, 5: 1, 7: 1, 9: 1}


def test_nodes_are_held_while_all_of_them_were_read_with_the_stamp() -> None:
    """Of a stamp that is the very same, and for the same users; a node that is not there is held as well."""
    memory, users, keys = NodeMemory(10**6), Users(KEYS), ["n:1", "n:2", "n:3"]
    stamp, same = Stamp(b"write", Live()), Stamp(b"write", Live())
    nodes = memory.nodes(keys, [node(1), None, node(2)], users, stamp)
    assert nodes[1] is None
    held = memory.held(keys, users, stamp)
    assert held is not None
    assert [each is known for each, known in zip(held, nodes, strict=True)] == [True] * 3
    assert memory.held([*keys, "n:4"], users, stamp) is None
    assert memory.held(keys, Users(KEYS), stamp) is None
    assert memory.held(keys, users, same) is None
    memory.nodes(["n:2"], [None], users, same)
    assert memory.held(keys, users, stamp) is None


@pytest.mark.parametrize(
    ("user_count", "rows"),
    [(20, 20), (400, 1), (400, 99), (400, 100), (400, 400), (20, 0), (400, 0)],
    ids=["small", "few", "some", "many", "all", "leaf", "leaf of many"],
)
def test_bytes_are_counted_honestly(user_count: int, rows: int) -> None:
    """A full memory takes what it says, by a tenth more or less, and never more than it may say."""
    users, most = Users(KEYS[:user_count]), 2_000_000
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        memory = NodeMemory(most)
        for number in range(20_000):
            leaf = pack_leaf([entry(number + at, KEYS[at % user_count]) for at in range(80)])
            string = node(number % 251, KEYS[:rows]) if rows else leaf
            found = node_of(memory, f"{{s00}}:{number:032x}:n:21:{number:07}", string, users)
            assert found is not None
            found.add(np.zeros((user_count, COLUMNS), np.int64), 1)
            if memory.size_bytes > most * 0.98:
                break
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert memory.size_bytes <= most
    assert taken == pytest.approx(memory.size_bytes, rel=0.1)
