"""Leads the members of one group from one generation to the next, by the clock where they do not come by themselves.

Times are milliseconds of the clock that is passed in.
"""

import math
from collections.abc import Callable
from random import Random

from tests.simulation.kafka.group_members import Code, Joined, Joining, Member, State, Stored, choose_protocol

_NEW_MEMBER_TIMEOUT_MS = 300_000  # who waits so long for its first generation is dropped
_SLACK_MS = 0.5  # a timer may fire that much before its time


class Rebalance:
    """Keeps a group's members, and the phases in which they join and get their assignments."""

    def __init__(self, now_ms: Callable[[], float], rnd: Random, initial_delay_ms: int, stored: Stored) -> None:
        self._now_ms = now_ms
        self._rnd = rnd
        self._initial_delay_ms = initial_delay_ms
        self.stored = stored
        self.state = State.STABLE if stored.members else State.EMPTY
        self.generation = stored.generation
        self.leader = stored.leader
        self._protocol = stored.protocol
        self._members: dict[str, Member] = {}
        self._promised: dict[str, float] = {}  # ids that nobody has joined with, and until when they are kept
        self._unsynced: dict[str, None] = {}  # who has not asked for its assignment in this generation
        self._join_until_ms = math.inf
        self._sync_until_ms = math.inf
        self._is_first = False  # whether members join a group that was empty
        self._first_left_ms = 0.0  # how much longer that may be put off for members that come
        self._someone_came = False
        for member_id, said, assignment in stored.members:
            expires_ms = now_ms() + said.session_timeout_ms
            self._members[member_id] = Member(member_id, said, expires_ms, is_new=False, assignment=assignment)

    # -- what the clock does

    def next_ms(self) -> float:
        """Returns when `expire` has something to do; infinity is never."""
        sessions = [member.expires_ms for member in self._members.values()]
        return min([self._join_until_ms, self._sync_until_ms, *sessions, *self._promised.values()])

    def expire(self) -> None:
        """Drops members whose session is over, or who do not rejoin or sync in time, and ends phases that are due."""
        due_ms = self._now_ms() + _SLACK_MS
        for member_id in [each for each, until_ms in self._promised.items() if until_ms <= due_ms]:
            del self._promised[member_id]
            self._complete_if_all_joined()
        for member in [each for each in self._members.values() if each.expires_ms <= due_ms]:
            if not member.is_new and (member.answer_join or member.answer_sync):
                member.expires_ms = math.inf  # it waits for the others; its session begins anew with its answer
            else:
                self._remove(member.id)
        if self._join_until_ms <= due_ms:
            self._end_joining()
        if self._sync_until_ms <= due_ms:
            for member_id in list(self._unsynced):
                self._take_out(member_id)
            self._prepare()

    def end(self, code: Code) -> None:
        """Answers all who wait with this error, as a coordinator does that no longer is one; the group is not used on.

        `stored` is what another coordinator goes on from.
        """
        self.state = State.DEAD
        for member in self._members.values():
            self._answer_join(member, Joined(code, member.id))
        self._answer_syncs(code)

    # -- who comes and goes

    def _add(self, member_id: str, said: Joining, answer: Callable[[Joined], None]) -> None:
        self._members[member_id] = Member(member_id, said, self._now_ms() + _NEW_MEMBER_TIMEOUT_MS, answer)
        self._someone_came = True
        self.leader = self.leader or member_id
        self._prepare_or_complete()

    def _remove(self, member_id: str) -> None:
        self._take_out(member_id)
        self._prepare_or_complete()

    def _take_out(self, member_id: str) -> None:
        member = self._members.pop(member_id)
        self._unsynced.pop(member_id, None)
        self._answer_join(member, Joined(Code.UNKNOWN_MEMBER_ID, member_id))
        if member_id == self.leader:
            # Kafka takes the first of a hash table: no order that a client may rely on
            self.leader = self._rnd.choice(list(self._members)) if self._members else ""

    def _beat(self, member: Member) -> None:
        member.expires_ms = self._now_ms() + member.said.session_timeout_ms

    # -- the phases

    def _prepare_or_complete(self) -> None:
        if self.state is State.PREPARING:
            self._complete_if_all_joined()
        else:
            self._prepare()

    def _prepare(self) -> None:
        """Begins a rebalance: all members must join again; those of an empty group wait for others that may come."""
        if self.state is State.COMPLETING:
            for member in self._members.values():
                member.assignment = b""
            self._answer_syncs(Code.REBALANCE_IN_PROGRESS)
        self._unsynced.clear()
        self._sync_until_ms = math.inf
        self._is_first = self.state is State.EMPTY
        self.state = State.PREPARING
        if self._is_first:
            self._someone_came = False
            self._first_left_ms = max(self._rebalance_timeout_ms() - self._initial_delay_ms, 0)
            self._join_until_ms = self._now_ms() + self._initial_delay_ms
        else:
            self._join_until_ms = self._now_ms() + self._rebalance_timeout_ms()
            self._complete_if_all_joined()

    def _complete_if_all_joined(self) -> None:
        if self.state is not State.PREPARING or self._is_first or self._promised:
            return
        if all(member.answer_join for member in self._members.values()):
            self._complete()

    def _end_joining(self) -> None:
        if self._is_first and self._someone_came and self._first_left_ms > 0:
            self._someone_came = False
            delay_ms = min(self._initial_delay_ms, self._first_left_ms)
            self._first_left_ms -= delay_ms
            self._join_until_ms = self._now_ms() + delay_ms
        else:
            self._complete()

    def _complete(self) -> None:
        """Begins a generation of those who have joined; the others are out."""
        self._join_until_ms, self._is_first = math.inf, False
        for member_id in [each.id for each in self._members.values() if not each.answer_join]:
            self._take_out(member_id)
        self.generation += 1
        if not self._members:
            self.state, self._protocol = State.EMPTY, ""
            self._store()
            return
        self.state, self._protocol = State.COMPLETING, choose_protocol(self._members.values())
        self._unsynced = dict.fromkeys(self._members)
        self._sync_until_ms = self._now_ms() + self._rebalance_timeout_ms()
        for member in list(self._members.values()):
            self._beat(member)
            member.is_new = False
            self._answer_join(member, self._joined(member))

    def _assign(self, assignments: dict[str, bytes]) -> None:
        """Takes the leader's assignments: the group is stable."""
        for member in self._members.values():
            member.assignment = assignments.get(member.id, b"")
        self.state = State.STABLE
        self._store()
        self._answer_syncs(Code.NONE)

    def _store(self) -> None:
        members = tuple((each.id, each.said, each.assignment) for each in self._members.values())
        self.stored = Stored(self.generation, self._protocol, self.leader, members)

    # -- answers

    def _joined(self, member: Member) -> Joined:
        members = tuple((each.id, each.said.protocols[self._protocol]) for each in self._members.values())
        seen = members if member.id == self.leader else ()
        return Joined(Code.NONE, member.id, self.generation, self._protocol, self.leader, seen)

    def _answer_join(self, member: Member, joined: Joined) -> None:
        answer, member.answer_join = member.answer_join, None
        if answer:
            answer(joined)

    def _answer_syncs(self, code: Code) -> None:
        for member in list(self._members.values()):
            answer, member.answer_sync = member.answer_sync, None
            if answer:
                self._beat(member)
                answer(code, member.assignment)

    def _rebalance_timeout_ms(self) -> int:
        return max((member.said.rebalance_timeout_ms for member in self._members.values()), default=0)
