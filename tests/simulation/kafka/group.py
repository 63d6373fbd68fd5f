"""Models one consumer group as Kafka's coordinator keeps it: the classic protocol, members without instance ids.

It is a state machine that knows no network: requests are method calls, an answer that comes later is a call back, and
`expire` does what is due by the clock.
"""

import math
from collections.abc import Callable

from tests.simulation.kafka.group_members import Code, Joined, Joining, State, supports
from tests.simulation.kafka.rebalance import Rebalance


class Group(Rebalance):
    """Answers the requests of one group's members; a request that is repeated takes the place of the one before."""

    def promise(self, member_id: str, said: Joining) -> Code:
        """Keeps an id for a member that must come again with it, for as long as its session."""
        if not supports(self._members.values(), said.protocols):
            return Code.INCONSISTENT_GROUP_PROTOCOL
        self._promised[member_id] = self._now_ms() + said.session_timeout_ms
        return Code.MEMBER_ID_REQUIRED

    def join(self, member_id: str, said: Joining, answer: Callable[[Joined], None]) -> None:
        """Lets a member in, or in again; answers when the next generation begins, or at once if it may not come in."""
        code = self._join(member_id, said, answer)
        if code is not Code.NONE:
            answer(Joined(code, member_id))

    def _join(self, member_id: str, said: Joining, answer: Callable[[Joined], None]) -> Code:
        if not supports(self._members.values(), said.protocols):
            return Code.INCONSISTENT_GROUP_PROTOCOL
        if self._promised.pop(member_id, None) is not None:
            self._add(member_id, said, answer)
            return Code.NONE
        member = self._members.get(member_id)
        if member is None:
            return Code.UNKNOWN_MEMBER_ID
        is_late = self.state is State.COMPLETING or (self.state is State.STABLE and member_id != self.leader)
        if is_late and member.said.is_same(said):
            answer(self._joined(member))  # its answer was lost, or it has no news
            return Code.NONE
        member.said = said
        member.answer_join = answer
        self._prepare_or_complete()
        return Code.NONE

    def sync(
        self, member_id: str, generation: int, assignments: dict[str, bytes], answer: Callable[[Code, bytes], None]
    ) -> None:
        """Answers with the member's assignment once the leader has sent it, or at once if there is none to come."""
        code = self._check(member_id, generation)
        if code is Code.NONE and self.state is State.PREPARING:
            code = Code.REBALANCE_IN_PROGRESS
        if code is not Code.NONE:
            answer(code, b"")
            return
        member = self._members[member_id]
        self._unsynced.pop(member_id, None)
        if not self._unsynced:
            self._sync_until_ms = math.inf
        if self.state is State.STABLE:
            self._beat(member)
            answer(Code.NONE, member.assignment)
            return
        member.answer_sync = answer
        if member_id == self.leader:
            self._assign(assignments)

    def heartbeat(self, member_id: str, generation: int) -> Code:
        """Lets a member's session last; says if it is out, or must join again."""
        code = self._check(member_id, generation)
        if code is not Code.NONE:
            return code
        self._beat(self._members[member_id])
        return Code.REBALANCE_IN_PROGRESS if self.state is State.PREPARING else Code.NONE

    def leave(self, member_id: str) -> Code:
        """Takes a member out, or an id that was promised."""
        if self._promised.pop(member_id, None) is not None:
            self._complete_if_all_joined()
            return Code.NONE
        if member_id not in self._members:
            return Code.UNKNOWN_MEMBER_ID
        self._remove(member_id)
        return Code.NONE

    def commit(self, member_id: str, generation: int) -> Code:
        """Returns whether offsets may be committed; the commit of a member lets its session last."""
        if generation < 0 and self.state is State.EMPTY:
            return Code.NONE  # by a client that assigns its partitions itself
        code = self._check(member_id, generation)
        if code is not Code.NONE:
            return code
        if self.state is State.COMPLETING:
            return Code.REBALANCE_IN_PROGRESS
        self._beat(self._members[member_id])
        return Code.NONE

    def _check(self, member_id: str, generation: int) -> Code:
        if member_id not in self._members:
            return Code.UNKNOWN_MEMBER_ID
        return Code.NONE if generation == self.generation else Code.ILLEGAL_GENERATION
