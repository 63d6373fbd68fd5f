"""Sums of nodes against brute force: few users and many, rows of both widths, leaves, what is remembered of them."""

from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.store.layout.heads import Live
from service.store.layout.nodes import Row, pack_leaf, pack_rows, parse_entry
from service.store.read.answer_cache import Stamp
from service.store.read.cover import Cover, Cut
from service.store.read.node_memory import NodeMemory
from service.store.read.sums import Sums, sum_nodes, sum_user
from service.store.read.users import UnknownUserError, Users
from service.store.redis.views import DamagedError

STAMP = Stamp(b"", Live())
INTERVAL = range(1 << 20, 1 << 30)
Totals = dict[bytes, list[int]]


def user_keys(rnd: Random, count: int) -> list[bytes]:
    """So many user keys, ascending as numbers; the least and the greatest one are among them."""
    numbers = {0, (1 << 48) - 1, *(rnd.randrange(1 << 48) for _ in range(count))}
    return [number.to_bytes(6, "little") for number in sorted(numbers)[-count:]]


def node_of_rows(rnd: Random, users: Sequence[bytes]) -> bytes:
    """A node with rows of some users, of either width; numbers are often as great as they can be."""
    is_wide = rnd.random() < 0.5
    most_jobs, most_bytes = (2**32 - 1, 2**80 - 1) if is_wide else (255, 2**56 - 1)
    some = rnd.sample(users, rnd.randint(0, len(users)))
    rows = [
        Row(
            user,
            tuple(rnd.choice((0, most_jobs, rnd.randint(0, most_jobs))) for _ in range(6)),
            rnd.choice((0, most_bytes, rnd.randint(0, most_bytes))),
        )
        for user in some
    ]
    return pack_rows(rows, is_wide=is_wide)


def leaf(rnd: Random, users: Sequence[bytes]) -> bytes:
    """A leaf whose entries lie inside of the interval and outside."""
    starts = [rnd.choice((INTERVAL.start - 1, INTERVAL.start, INTERVAL.stop - 1, INTERVAL.stop)) for _ in range(9)]
    return pack_leaf(
        start.to_bytes(7, "little")
        + rnd.choice((0, 2**56 - 1, rnd.randrange(2**56))).to_bytes(7, "little")
        + rnd.choice(users)
        + bytes([rnd.randrange(6)])
        for start in starts[: rnd.randint(0, 9)]
    )


def count(totals: Totals, node: bytes, sign: int, wants: bool | None = None) -> None:
    """Counts a node; of a leaf all entries, or those inside of the interval (True), or those outside."""
    for row in parse_node(node, wants):
        total = totals.setdefault(row.user, [0] * 7)
        for at, number in enumerate((*row.jobs, row.size_bytes)):
            total[at] += sign * number


def parse_node(node: bytes, wants: bool | None) -> list[Row]:
    """The rows of a node, one item at a time."""
    if node[:1] == b"L":
        entries = [parse_entry(node[at : at + 21]) for at in range(1, len(node), 21)]
        return [
            Row(each.user, tuple(int(each.status == status) for status in range(6)), each.size_bytes)
            for each in entries
            if wants in {None, each.start_ms in INTERVAL}
        ]
    width, jobs_bytes = (19, 1) if node[:1] == b"r" else (40, 4)
    items = [node[at : at + width] for at in range(1, len(node), width)]
    jobs_at = range(6, 6 + 6 * jobs_bytes, jobs_bytes)
    return [
        Row(
            item[:6],
            tuple(int.from_bytes(item[at : at + jobs_bytes], "little") for at in jobs_at),
            int.from_bytes(item[jobs_at.stop :], "little"),
        )
        for item in items
    ]


def sums_of_one(string: bytes, users: Users) -> Sums:
    """The sums of a single node."""
    return sum_strings(users, Cover(added=[(0, [1])]), [string], NodeMemory(10**6))


def sum_strings(users: Users, nodes: Cover, strings: Sequence[bytes | None], memory: NodeMemory) -> Sums:
    """The sums of the nodes of a cover, which are remembered by their numbers, or those that cut."""
    runs = [*nodes.added, *nodes.taken, *((-1, [cut.node[1]]) for cut in nodes.cuts)]
    keys = [f"n:{level}:{index}" for level, indexes in runs for index in indexes]
    return sum_nodes(users, nodes, INTERVAL, memory.nodes(keys, strings, users, STAMP))


def assert_equal(sums: Sums, users: Sequence[bytes], totals: Totals) -> None:
    """The sums of these users are those, and so is the sum of all."""
    expected = [totals.get(user, [0] * 7) for user in users]
    assert [list(row) for row in zip(*sums.jobs.tolist(), sums.size_bytes.tolist(), strict=True)] == expected
    assert list(sums.totals) == [sum(row[column] for row in expected) for column in range(7)]


@given(st.integers(0, 2**32), st.sampled_from((1, 3, 64, 65, 150)))
def test_sums_are_those_of_a_recount(seed: int, user_count: int) -> None:
    """Nodes are asked for again and again, some of them changed; what is taken off was added before."""
    rnd = Random(seed)
    keys = user_keys(rnd, user_count)
    users, memory = Users([int.from_bytes(key, "little") for key in keys]), NodeMemory(rnd.choice((0, 50_000, 10**7)))
    nodes = [rnd.choice((node_of_rows, leaf))(rnd, keys) for _ in range(8)]
    for _ in range(4):
        nodes[rnd.randrange(8)] = node_of_rows(rnd, keys)
        totals: Totals = {}
        whole = rnd.sample(range(8), 6)
        taken = rnd.sample(whole, 3)
        cuts = [Cut((0, number), 1, rnd.random() < 0.5) for number in range(2)]
        leaves = [rnd.choice((leaf(rnd, keys), None)) for _ in cuts]
        for sign, some in ((1, whole), (-1, taken)):
            for number in some:
                count(totals, nodes[number], sign)
        for cut, each in zip(cuts, leaves, strict=True):
            if each is not None:
                count(totals, each, cut.sign, cut.inside)
        asked = Cover([(0, whole)], [(0, taken[:1]), (0, taken[1:])], cuts)
        strings = [*(nodes[number] for number in (*whole, *taken)), *leaves]
        assert_equal(sum_strings(users, asked, strings, memory), keys, totals)
        user = rnd.choice(keys)
        assert_equal(sum_user(user, asked, INTERVAL, strings), [user], totals)


@pytest.mark.parametrize("user_count", [3, 100])
def test_more_is_taken_off_than_is_there(user_count: int) -> None:
    """Such sums are damage, not numbers below zero."""
    rnd = Random(1)
    keys = user_keys(rnd, user_count)
    users = Users([int.from_bytes(key, "little") for key in keys])
    string = pack_rows([Row(keys[-1], (0, 0, 1, 0, 0, 0), 0)], is_wide=False)
    with pytest.raises(DamagedError, match="counts less than is taken off it"):
        sum_strings(users, Cover(taken=[(0, [1])]), [string], NodeMemory(10**6))


@pytest.mark.parametrize("user_count", [0, 3, 100])
@pytest.mark.parametrize("make", [node_of_rows, leaf])
def test_a_user_who_is_not_known_is_no_number(user_count: int, make: object) -> None:
    """Rows and entries of other users than the project's raise."""
    rnd = Random(1)
    strange = [(5).to_bytes(6, "little")]
    string = (
        pack_leaf([bytes(14) + strange[0] + b"\1"])
        if make is leaf
        else pack_rows([Row(strange[0], (1,) * 6, 1)], is_wide=False)
    )
    users = Users([int.from_bytes(key, "little") for key in user_keys(rnd, user_count)][:user_count])
    with pytest.raises(UnknownUserError):
        sums_of_one(string, users)


@pytest.mark.parametrize("user_count", [3, 100])
@pytest.mark.parametrize("status", [6, 7, 255])
def test_an_entry_in_no_status_is_damage(user_count: int, status: int) -> None:
    """There is no cell for it."""
    keys = user_keys(Random(1), user_count)
    users = Users([int.from_bytes(key, "little") for key in keys])
    with pytest.raises(DamagedError, match="a job in no status"):
        sums_of_one(pack_leaf([bytes(14) + keys[0] + bytes([status])]), users)
