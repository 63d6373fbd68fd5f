"""The state machine of groups on a clock that the case moves: what would take long on a real broker."""

from random import Random

from tests.simulation.kafka.group import Group
from tests.simulation.kafka.group_members import Code, Joined, Joining, State, Stored


class Clock:
    """Is the time that a case says."""

    def __init__(self) -> None:
        self.now_ms = 0.0

    def __call__(self) -> float:
        """The time."""
        return self.now_ms

    def run(self, group: Group, until_ms: float) -> None:
        """Does all that is due in a group by then, each at its time."""
        while group.next_ms() <= until_ms:
            self.now_ms = group.next_ms()
            group.expire()
        self.now_ms = until_ms


SAID = Joining(10_000, 20_000, {"range": b""})


def begun(clock: Clock, delay_ms: int = 3_000, stored: Stored | None = None) -> Group:
    """A group at the start of its coordinator."""
    return Group(clock, Random(1), delay_ms, stored or Stored())


def join(group: Group, member: str) -> list[Joined]:
    """The answers that a new member gets, as they come."""
    answers: list[Joined] = []
    assert group.promise(member, SAID) is Code.MEMBER_ID_REQUIRED
    group.join(member, SAID, answers.append)
    return answers


def stable_of_two(clock: Clock) -> Group:
    """A group of the members a and b, of which a leads."""
    group = begun(clock)
    join(group, "a")
    join(group, "b")
    clock.run(group, 6_000)
    for member in ("b", "a"):
        group.sync(member, 1, {"a": b"left", "b": b"right"}, lambda *_: None)
    assert group.state is State.STABLE
    return group


def test_the_first_members_wait_for_others() -> None:
    """For a delay, and another one if someone has come, up to the rebalance timeout."""
    clock = Clock()
    group = begun(clock)
    first = join(group, "a")
    clock.run(group, 2_999)
    second = join(group, "b")
    clock.run(group, 5_999)
    assert not first
    assert not second
    clock.run(group, 6_000)
    assert [each.generation for each in (*first, *second)] == [1, 1]
    assert [len(each.members) for each in (*first, *second)] == [2, 0]


def test_members_that_come_one_after_the_other_hold_up_the_first_generation_no_longer_than_a_rebalance() -> None:
    """20 seconds here."""
    clock = Clock()
    group = begun(clock)
    first = join(group, "0")
    for second in range(1, 20):
        clock.run(group, second * 1_000)
        join(group, str(second))
        assert not first
    clock.run(group, 20_000)
    assert [(each.generation, len(each.members)) for each in first] == [(1, 20)]


def test_a_session_lasts_with_each_heartbeat_and_commit() -> None:
    """And ends without; the other member joins again."""
    clock = Clock()
    group = stable_of_two(clock)
    clock.run(group, 14_000)
    assert group.heartbeat("a", 1) is Code.NONE
    assert group.commit("b", 1) is Code.NONE
    clock.run(group, 23_000)
    assert group.heartbeat("a", 1) is Code.NONE
    clock.run(group, 24_000)
    assert group.heartbeat("b", 1) is Code.UNKNOWN_MEMBER_ID
    assert group.heartbeat("a", 1) is Code.REBALANCE_IN_PROGRESS


def test_a_member_that_waits_for_the_others_does_not_lose_its_session() -> None:
    """Though it sends no heartbeats meanwhile; it begins anew with the answer."""
    clock = Clock()
    group = stable_of_two(clock)
    answers: list[Joined] = []
    group.join("a", SAID, answers.append)
    for now_ms in range(10_000, 26_000, 4_000):
        clock.run(group, now_ms)
        assert group.heartbeat("b", 1) is Code.REBALANCE_IN_PROGRESS
    clock.run(group, 26_000)  # the rebalance timeout: b is out
    assert [(each.code, each.generation, len(each.members)) for each in answers] == [(Code.NONE, 2, 1)]
    clock.run(group, 35_999)
    assert group.heartbeat("a", 2) is Code.NONE


def test_who_joins_while_others_wait_for_the_leader_waits_longer_than_a_session() -> None:
    """It cannot send heartbeats before it is a member."""
    clock = Clock()
    group = stable_of_two(clock)
    rejoined: list[Joined] = []
    for member in ("a", "b"):
        group.join(member, SAID, rejoined.append)
    told: list[Code] = []
    group.sync("b", 2, {}, lambda code, _: told.append(code))
    newcomer = join(group, "c")
    assert told == [Code.REBALANCE_IN_PROGRESS]
    for now_ms in range(10_000, 26_000, 4_000):
        clock.run(group, now_ms)
        assert group.heartbeat("a", 2) is Code.REBALANCE_IN_PROGRESS
    group.join("b", SAID, rejoined.append)
    group.join("a", SAID, rejoined.append)
    assert [(each.code, each.generation) for each in newcomer] == [(Code.NONE, 3)]


def test_a_coordinator_that_takes_over_goes_on_from_the_last_stable_generation() -> None:
    """Whose members have a session each from then on; who waits at the former one is told."""
    clock = Clock()
    group = stable_of_two(clock)
    waiting: list[Joined] = []
    group.join("a", SAID, waiting.append)
    newcomer = join(group, "c")
    group.end(Code.NOT_COORDINATOR)
    assert [each.code for each in (*waiting, *newcomer)] == [Code.NOT_COORDINATOR] * 2
    clock.now_ms = 100_000
    heir = begun(clock, stored=group.stored)
    assert (heir.state, heir.generation, heir.leader) == (State.STABLE, 1, "a")
    assert heir.heartbeat("c", 1) is Code.UNKNOWN_MEMBER_ID
    assert heir.heartbeat("b", 1) is Code.NONE
    clock.run(heir, 109_999)
    assert heir.heartbeat("a", 1) is Code.NONE
    clock.run(heir, 110_000)
    assert heir.heartbeat("a", 1) is Code.REBALANCE_IN_PROGRESS


def test_a_group_that_all_have_left_goes_on_counting() -> None:
    """Also with another coordinator."""
    clock = Clock()
    group = stable_of_two(clock)
    assert [group.leave(member) for member in ("a", "b")] == [Code.NONE, Code.NONE]
    clock.run(group, 60_000)
    assert group.state is State.EMPTY
    heir = begun(clock, stored=group.stored)
    answers = join(heir, "d")
    clock.run(heir, 70_000)
    assert [each.generation for each in answers] == [group.generation + 1]
