"""From sums per user to the body of an answer. Pure, no I/O. Counts come in the order of statuses' ranks."""

import msgspec
import numpy as np
from numpy.typing import NDArray

from service.store.layout import parse_user
from service.store.sums import Sums, Users


class _User(msgspec.Struct, gc=False):
    user_name: str
    launching_num: int
    running_num: int
    failed_num: int
    finished_num: int
    canceling_num: int
    cancelled_num: int
    input_size: int


class _Totals(msgspec.Struct, gc=False):
    total_user_num: int
    total_launching_num: int
    total_running_num: int
    total_failed_num: int
    total_finished_num: int
    total_canceling_num: int
    total_cancelled_num: int
    total_input_size: int


_encode = msgspec.json.Encoder().encode


class Names:
    """A project's users: their keys in ascending order, and ids and names beside them, by the write that named them."""

    def __init__(self, names_id: bytes, users: dict[bytes, bytes]) -> None:
        self.names_id = names_id
        items = sorted((int.from_bytes(key, "little"), *parse_user(value)) for key, value in users.items())
        self.users = Users([key for key, _, _ in items])
        self._ids = {user_id for _, user_id, _ in items}
        self.names = [name for _, _, name in items]
        # users by name, then id: the order in which answers list them
        self._order = np.array(sorted(range(len(items)), key=lambda at: (items[at][2], items[at][1])), np.intp)

    def has(self, user_id: str) -> bool:
        """Whether this user has ever been seen, and no other under its key."""
        return user_id in self._ids

    def listed(self, sums: Sums) -> list[int]:
        """Positions of the users who have jobs, in the order of answers."""
        have_jobs: NDArray[np.bool_] = sums.counts.sum(axis=1) > 0
        positions: list[int] = self._order[have_jobs[self._order]].tolist()
        return positions


def administrator_body(sums: Sums, names: Names) -> bytes:
    """The body for a tenant administrator: every user with jobs, and the totals."""
    positions = names.listed(sums)
    launching, running, canceling, failed, finished, cancelled = sums.counts[positions].T.tolist()
    listed = [names.names[at] for at in positions]
    size_bytes = sums.size_bytes[positions].tolist()
    users = list(map(_User, listed, launching, running, failed, finished, canceling, cancelled, size_bytes))
    return b'{"users":%b,%b' % (_encode(users), _totals(len(users), sums)[1:])


def sub_user_body(sums: Sums) -> bytes:
    """The body for a sub-user, from sums that count its jobs alone."""
    return _totals(1, sums)


def _totals(users: int, sums: Sums) -> bytes:
    launching, running, canceling, failed, finished, cancelled = sums.counts.sum(axis=0).tolist()
    return _encode(
        _Totals(users, launching, running, failed, finished, canceling, cancelled, sum(sums.size_bytes.tolist()))
    )
