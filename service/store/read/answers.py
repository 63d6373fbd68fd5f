"""Makes the JSON body of an answer from sums per user. Pure, no I/O. Counts come in the order of status ranks."""

from collections.abc import Sequence

import msgspec

from service.store.read.names import Names
from service.store.read.sums import Sums


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


class _Statistics(msgspec.Struct, gc=False):
    users: list[_User]
    total_user_num: int
    total_launching_num: int
    total_running_num: int
    total_failed_num: int
    total_finished_num: int
    total_canceling_num: int
    total_cancelled_num: int
    total_input_size: int


_encode = msgspec.json.Encoder().encode


def administrator_body(sums: Sums, names: Names) -> bytes:
    """Returns the body for a tenant administrator: a row for every user with jobs, and the totals."""
    positions, listed = names.listed(sums)
    launching, running, canceling, failed, finished, cancelled = sums.jobs.take(positions, axis=1).tolist()
    size_bytes = sums.size_bytes.take(positions).tolist()
    users = list(map(_User, listed, launching, running, failed, finished, canceling, cancelled, size_bytes))
    return _encode(_Statistics(users, len(users), *_in_order(sums.totals)))


def sub_user_body(sums: Sums) -> bytes:
    """Returns the body for a sub-user, from sums that count its jobs alone."""
    return _encode(_Totals(1, *_in_order(sums.totals)))


def _in_order(totals: Sequence[int]) -> tuple[int, ...]:
    launching, running, canceling, failed, finished, cancelled, size_bytes = totals
    return launching, running, failed, finished, canceling, cancelled, size_bytes
