"""Puts an installation's prefix before the names of keys, in each command on its way to Redis.

The rest of the store knows no prefix: it names keys as service.store.layout.keys makes them. A connection calls this
with each command that it sends, whoever has made the command, so no key can go without the prefix.
"""

from collections.abc import Callable, Sequence
from typing import Any

Words = Sequence[Any]
"""The words of a command, its name first; keys are text or bytes."""


def _first(words: Words) -> range:
    return range(1, min(2, len(words)))


def _all(words: Words) -> range:
    return range(1, len(words))


def _none(_words: Words) -> range:
    return range(0)


def _counted(words: Words) -> range:
    return range(3, 3 + int(words[2]))


def _pattern(words: Words) -> range:
    for at, word in enumerate(words, 1):
        if word == b"MATCH":
            return range(at, at + 1)
    raise LookupError("SCAN without a pattern would meet the keys of others")


_KEYLESS = (
    *("ASKING", "AUTH", "BGREWRITEAOF", "CLIENT", "CLUSTER", "COMMAND", "CONFIG", "DISCARD", "EXEC", "HELLO", "INFO"),
    *("MULTI", "PING", "READONLY", "READWRITE", "ROLE", "SCRIPT", "SELECT", "SENTINEL", "TIME"),
)
_FIRST = (
    *("APPEND", "DUMP", "GET", "GETRANGE", "HDEL", "HGET", "HGETALL", "HLEN", "HMGET", "HSET", "SADD", "SCARD", "SET"),
    *("SETRANGE", "SISMEMBER", "SMEMBERS", "SREM", "STRLEN", "TYPE"),
)
_KEYS_OF: dict[str, Callable[[Words], range]] = {
    **dict.fromkeys(_KEYLESS, _none),
    **dict.fromkeys(_FIRST, _first),
    **dict.fromkeys(("DEL", "EXISTS", "MGET", "UNLINK"), _all),
    **dict.fromkeys(("EVAL", "EVALSHA"), _counted),
    "SCAN": _pattern,
}


def with_prefix(prefix: str, words: Words) -> list[Any]:
    """Returns a command whose keys begin with the prefix. Raises LookupError for a command that is not known here."""
    prefixed = list(words)
    for at in _KEYS_OF[words[0].split()[0]](words):
        key = words[at]
        prefixed[at] = prefix.encode() + key if isinstance(key, bytes) else prefix + key
    return prefixed


def without_prefix(key: bytes) -> bytes:
    """Returns the name of a key of this store without the prefix that Redis gave it with; no prefix has a brace."""
    return key[key.index(b"{") :]
