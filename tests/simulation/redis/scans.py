"""Answers SCAN in the order of names: Redis' own order is that of a hash whose seed is new at each start."""

from collections.abc import Sequence

from tests.simulation.redis.wire import Wire

_FEW = 10


class Scans:
    """Remembers where scans are. Keys that are there all the while come, each once; a new server goes on with one."""

    def __init__(self) -> None:
        self._last: list[bytes] = [b""]  # name of the last key given, by cursor

    def page(self, wire: Wire, words: Sequence[bytes]) -> Sequence[object]:
        """Returns the reply to a SCAN with these words: the next keys by name, and the cursor behind them."""
        options = dict(zip(map(bytes.upper, words[2::2]), words[3::2], strict=True))
        last = self._last[int(words[1])]
        keys: list[bytes] = wire.call("KEYS", options.get(b"MATCH", b"*"))
        some = sorted(key for key in keys if key > last)[: int(options.get(b"COUNT", _FEW)) + 1]
        if len(some) <= int(options.get(b"COUNT", _FEW)):
            return [b"0", some]
        self._last.append(some[-2])
        return [b"%d" % (len(self._last) - 1), some[:-1]]
