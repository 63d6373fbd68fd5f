"""Makes the clocks, random numbers, identifiers and signals of a process those of a simulation.

It is for a process that does nothing else. `install` comes before the imports of the product, some of which keep a
function of `time` as a default. The clocks stay the real ones until `become_virtual`, in the child that runs a life.
"""

import os
import random
import signal
import time
from collections.abc import Callable
from random import Random
from typing import Any

from tests.simulation.process import PROCESS

_STEADY_SECONDS = 1_000  # of the monotonic clock then

_real_time_ns, _real_monotonic_ns = time.time_ns, time.monotonic_ns
_elapsed: list[Callable[[], float]] = []  # the loop's time, once it is virtual
_start_ns: list[int] = []  # Unix time at which it was 0


def _time_ns() -> int:
    return _start_ns[0] + int(_elapsed[0]() * 1e9) if _elapsed else _real_time_ns()


def _monotonic_ns() -> int:
    return _STEADY_SECONDS * 10**9 + int(_elapsed[0]() * 1e9) if _elapsed else _real_monotonic_ns()


def _time() -> float:
    return _start_ns[0] / 1e9 + _elapsed[0]() if _elapsed else _real_time_ns() / 1e9


def _monotonic() -> float:
    return _STEADY_SECONDS + _elapsed[0]() if _elapsed else _real_monotonic_ns() / 1e9


def install() -> None:
    """Replaces the functions of `time` that tell it."""
    time.time_ns, time.time = _time_ns, _time
    time.monotonic_ns = time.perf_counter_ns = _monotonic_ns
    time.monotonic = time.perf_counter = _monotonic


def become_virtual(start_seconds: int, elapsed_seconds: Callable[[], float], rnd: Random) -> None:
    """Makes the clocks tell the time of a loop that began at a Unix time, and all chance come from `rnd`, for good.

    What handles a signal is noted for the simulated process that asks for it.
    """
    _start_ns.append(start_seconds * 10**9)
    _elapsed.append(elapsed_seconds)
    os.urandom = rnd.randbytes
    random._urandom = rnd.randbytes  # type: ignore[attr-defined]  # of SystemRandom and `secrets`
    random.seed(rnd.getrandbits(64))
    signal.signal = _handle_signal  # type: ignore[assignment]


def _handle_signal(number: int, handler: Any) -> None:
    process = PROCESS.get()
    if process is not None:
        process.handlers[number] = handler


def real_seconds() -> float:
    """Returns seconds of the real monotonic clock."""
    return _real_monotonic_ns() / 1e9
