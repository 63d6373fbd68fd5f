"""Makes those replies the same in each run that Redis makes of its own clock, chance or memory."""

import re
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

from tests.simulation.redis.wire import encoded, parsed

# What of INFO is the same in each run. Some services tell no more, and the product works there.
_FIELDS = (
    *("redis_version", "redis_mode", "role", "loading", "maxmemory", "maxmemory_policy", "aof_enabled"),
    *("aof_rewrite_in_progress", "aof_rewrite_scheduled", "aof_last_bgrewrite_status", "aof_last_write_status"),
)
_SAME = re.compile(rb"^(?:%b):.*\r\n" % "|".join(_FIELDS).encode(), re.MULTILINE)
_OTHERS = b"run_id:%b\r\nserver_time_usec:%d\r\nused_memory:1000000\r\n"


def _sorted_pairs(reply: Sequence[bytes]) -> list[bytes]:
    return list(chain.from_iterable(sorted(zip(reply[::2], reply[1::2], strict=True))))


# Redis' order of members is that of a hash whose seed is new at each start.
_ORDERS: dict[bytes, Callable[[Any], list[Any]]] = {b"SMEMBERS": sorted, b"HGETALL": _sorted_pairs}
UNORDERED = frozenset(_ORDERS)


def in_order(name: bytes, reply: bytes) -> bytes:
    """Returns the reply to one of the UNORDERED commands in an order of its own."""
    return _encoded_in_order([name], [parsed(reply)])[0]


def all_in_order(names: Sequence[bytes], replies: bytes) -> bytes:
    """Returns the reply to an EXEC after commands with these names; those of UNORDERED ones are in an order."""
    each: Any = parsed(replies)
    if not isinstance(each, list):
        return replies
    return b"*%d\r\n%b" % (len(each), b"".join(_encoded_in_order(names, each)))


def _encoded_in_order(names: Sequence[bytes], replies: Sequence[Any]) -> list[bytes]:
    return [
        encoded(_ORDERS[name](reply) if name in UNORDERED and isinstance(reply, list) else reply)
        for name, reply in zip(names, replies, strict=True)
    ]


def virtual_info(reply: bytes, run_id: bytes, now_ms: int) -> bytes:
    """Returns the reply to an INFO, whatever its sections, with this time, and as of a server with this run id."""
    return encoded(b"".join([*_SAME.findall(reply), _OTHERS % (run_id, now_ms * 1_000)]))
