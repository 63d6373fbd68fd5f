"""Lives a life in a child process of its own, so that a seed repeats to the letter."""

import asyncio
import ctypes
import gc
import json
import logging
import os
import resource
import selectors
import signal
import sys
import traceback
from collections import deque
from dataclasses import asdict, dataclass, field, replace
from random import Random

from tests.simulation import machine
from tests.simulation.life.plan import Plan
from tests.simulation.life.redises import Redises
from tests.simulation.life.run import live
from tests.simulation.loop import SimulatedLoop
from tests.simulation.network import Network
from tests.simulation.process import PROCESS

_VIRTUAL_SECONDS = 900.0  # a life that takes longer does not end
_REAL_SECONDS = 240.0
_LOG_LINES = 60
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a life: `failure` is empty if it ended well; `trace` is a checksum over all that was delivered."""

    seed: int
    failure: str = ""
    log: list[str] = field(default_factory=list)
    trace: int = 0
    records: int = 0
    answers: int = 0
    refusals: int = 0
    in_vain: list[str] = field(default_factory=list)
    virtual_seconds: float = 0.0
    cpu_seconds: float = 0.0


class _LastLines(logging.Handler):
    """Keeps the last lines that the processes have logged, with the virtual time and the name of the process."""

    def __init__(self, most: int, loop: SimulatedLoop) -> None:
        super().__init__()
        self.lines: deque[str] = deque(maxlen=most)
        self._loop = loop
        self._usual = set(vars(logging.makeLogRecord({})))

    def emit(self, record: logging.LogRecord) -> None:
        process = PROCESS.get()
        extra = {name: value for name, value in vars(record).items() if name not in self._usual and name != "message"}
        name = process.name if process is not None else "-"
        self.lines.append(
            f"{self._loop.time():9.4f} {name:<12} {record.levelname:<8} {record.getMessage()} {extra or ''}"
        )
        if record.exc_info:
            self.lines.append("".join(traceback.format_exception(*record.exc_info)))


def live_here(plan: Plan, log_lines: int = _LOG_LINES) -> Result:
    """Lives a life in this process, which can do nothing else afterwards."""
    network = Network(Random(plan.seed ^ 0x5EED))
    loop = SimulatedLoop(network)
    machine.become_virtual(plan.start_seconds, loop.time, Random(plan.seed ^ 0xC10C))
    kept = _LastLines(log_lines, loop)
    logging.basicConfig(level=logging.INFO, handlers=[kept], force=True)
    redis: Redises | None = None
    result = Result(plan.seed)
    try:
        redis = Redises(plan.primaries, Random(plan.seed ^ 0x4ED15))
        result = loop.run_until_complete(_limited(plan, redis, network))
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is what the life has shown
        result = Result(plan.seed, "".join(traceback.format_exception(error)), list(kept.lines))
    finally:
        if redis is not None:
            redis.close()
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu_seconds = used.ru_utime + used.ru_stime
    return replace(result, trace=network.trace, virtual_seconds=loop.time(), cpu_seconds=cpu_seconds)


async def _limited(plan: Plan, redis: Redises, network: Network) -> Result:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, SimulatedLoop)
    living = loop.create_task(live(plan, redis, network))
    await asyncio.wait([living, loop.failure], timeout=_VIRTUAL_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    if loop.failure.done():
        loop.failure.result()
    assert living.done(), f"not over after {_VIRTUAL_SECONDS:.0f} virtual seconds: {living.get_stack()}"
    lived = living.result()
    return Result(plan.seed, **asdict(lived))


class Child:
    """A life under way in a child process."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.began_seconds = machine.real_seconds()
        self.pipe, theirs = os.pipe()
        self._text = b""
        sys.stdout.flush()
        parent = os.getpid()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self.pipe)
            _end_with(parent)
            _become(plan, theirs)
        os.close(theirs)

    def read(self) -> Result | None:
        """Returns the result if the child has ended. Blocks until it has written something."""
        text = os.read(self.pipe, 1 << 16)
        self._text += text
        return None if text else self._end()

    @property
    def is_late(self) -> bool:
        """Returns whether the life takes longer than any should."""
        return machine.real_seconds() - self.began_seconds > _REAL_SECONDS

    def kill(self) -> Result:
        """Ends a life that takes too long, and returns that as its result."""
        os.kill(self._pid, signal.SIGKILL)
        self._end()
        return Result(self.plan.seed, f"did not end within {_REAL_SECONDS:.0f} s")

    def stop(self) -> None:
        """Ends a life that nobody is interested in any more; returns when its servers and their files are gone."""
        os.kill(self._pid, signal.SIGTERM)
        while os.read(self.pipe, 1 << 16):
            pass
        os.close(self.pipe)
        os.waitpid(self._pid, 0)

    def _end(self) -> Result:
        os.close(self.pipe)
        _, status = os.waitpid(self._pid, 0)
        if not self._text:
            return Result(self.plan.seed, f"the process of this life ended with status {status}")
        return Result(**json.loads(self._text))


def _end_with(parent: int) -> None:
    """Has SIGTERM end this process in order, which it gets when its parent ends; Ctrl-C is for the parent alone."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it has ended before that
        os._exit(1)


def _become(plan: Plan, pipe: int) -> None:
    gc.freeze()
    gc.disable()  # when it runs depends on what came before
    gc.collect = lambda *_: 0  # each process of the service begins with it, which takes 25 ms
    try:
        data = json.dumps(asdict(live_here(plan))).encode()
        while data:
            data = data[os.write(pipe, data) :]
    finally:
        os._exit(0)


def wait_for(children: list[Child], seconds: float) -> list[tuple[Child, Result]]:
    """Waits until some of the children have something to say; returns those that have ended, with their results."""
    ended = []
    with selectors.DefaultSelector() as selector:
        for child in children:
            selector.register(child.pipe, selectors.EVENT_READ, child)
        for key, _ in selector.select(seconds):
            result = key.data.read()
            if result is not None:
                ended.append((key.data, result))
    done = [child for child, _ in ended]
    ended += [(child, child.kill()) for child in children if child.is_late and child not in done]
    return ended
