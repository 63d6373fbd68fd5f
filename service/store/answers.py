"""From sums per user to the body of an answer. Pure, no I/O."""

import msgspec
import numpy as np
from numpy.typing import NDArray

from service.events import JobStatus
from service.store.layout import parse_user
from service.store.sums import Sums, Users

_FIELDS = (
    ("launching_num", JobStatus.LAUNCHING),
    ("running_num", JobStatus.RUNNING),
    ("failed_num", JobStatus.FAILED),
    ("finished_num", JobStatus.FINISHED),
    ("canceling_num", JobStatus.CANCELING),
    ("cancelled_num", JobStatus.CANCELLED),
)


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
    positions, size_bytes = names.listed(sums), sums.size_bytes
    counts = sums.counts[positions].tolist()
    # spelled out, as this runs for each of maybe thousands of users
    users = [
        {
            "user_name": names.names[at],
            "launching_num": launching,
            "running_num": running,
            "failed_num": failed,
            "finished_num": finished,
            "canceling_num": canceling,
            "cancelled_num": cancelled,
            "input_size": size_bytes[at],
        }
        for at, (launching, running, canceling, failed, finished, cancelled) in zip(positions, counts, strict=True)
    ]
    return _body({"users": users}, len(users), sums)


def sub_user_body(sums: Sums) -> bytes:
    """The body for a sub-user, from sums that count its jobs alone."""
    return _body({}, 1, sums)


def _body(head: dict[str, object], users: int, sums: Sums) -> bytes:
    totals = sums.counts.sum(axis=0).tolist()
    return msgspec.json.encode(
        {
            **head,
            "total_user_num": users,
            **{f"total_{field}": totals[status] for field, status in _FIELDS},
            "total_input_size": sum(sums.size_bytes),
        }
    )
