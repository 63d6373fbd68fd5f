"""Which words of a command are keys, and so get the prefix."""

import pytest

from service.store.redis.key_prefix import with_prefix, without_prefix


@pytest.mark.parametrize(
    ("command", "sent"),
    [
        (("GET", "k"), ["GET", "pk"]),
        (("MGET", "k", b"l"), ["MGET", "pk", b"pl"]),
        (("SET", "k", "v", "NX"), ["SET", "pk", "v", "NX"]),
        (("HMGET", b"k", "f", "g"), ["HMGET", b"pk", "f", "g"]),
        (("EVALSHA", "sha", 2, "k", b"l", "v"), ["EVALSHA", "sha", 2, "pk", b"pl", "v"]),
        (("EVALSHA", "sha", 0), ["EVALSHA", "sha", 0]),
        (("SCAN", "0", "COUNT", 10, b"MATCH", "{s*"), ["SCAN", "0", "COUNT", 10, b"MATCH", "p{s*"]),
        (("SCRIPT LOAD", "text"), ["SCRIPT LOAD", "text"]),
        (("SCRIPT", "LOAD", "text"), ["SCRIPT", "LOAD", "text"]),
        (("CLUSTER SLOTS",), ["CLUSTER SLOTS"]),
        (("MULTI",), ["MULTI"]),
    ],
)
def test_keys_get_the_prefix_and_nothing_else(command: tuple[str | bytes | int, ...], sent: list[object]) -> None:
    """Whether a key is text or bytes, and wherever it stands."""
    assert with_prefix("p", command) == sent


@pytest.mark.parametrize("command", [("RENAME", "k", "l"), ("SORT", "k"), ("KEYS", "*")])
def test_a_command_that_is_not_known_is_not_sent(command: tuple[str, ...]) -> None:
    """It could reach keys of others."""
    with pytest.raises(LookupError, match=command[0]):
        with_prefix("p", command)


def test_a_scan_without_a_pattern_is_not_sent() -> None:
    """It would meet the keys of others."""
    with pytest.raises(LookupError, match="SCAN"):
        with_prefix("p", ("SCAN", "0"))


@pytest.mark.parametrize("prefix", [b"", b"p", b"a:b"])
def test_names_come_back_without_the_prefix(prefix: bytes) -> None:
    """A project's id has no brace either."""
    assert without_prefix(prefix + b"{s07}:project:m") == b"{s07}:project:m"
