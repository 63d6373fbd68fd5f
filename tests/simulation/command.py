"""The command line of the simulation: lives of given seeds, or of new ones for some minutes; shrinking."""

import argparse
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from random import SystemRandom

from tests.simulation import machine
from tests.simulation.child import Child, Result, wait_for
from tests.simulation.life.plan import Plan, plan_life
from tests.simulation.protections import PROTECTIONS
from tests.simulation.shrink import repeating, say, shrink
from tests.simulation.without import take_out

_LOOK_SECONDS = 1.0
_INTERRUPTED = 130  # the status of a program that SIGINT has ended


def main(argv: Sequence[str]) -> int:
    """Lives the lives that the arguments ask for, and tells what became of them; returns 1 if one failed."""
    arguments = _parse(argv)
    for name in arguments.without:
        take_out(name)
    try:
        return _shrink_all(arguments) if arguments.shrink else _live_and_tell(arguments)
    except KeyboardInterrupt:
        say("interrupted")
        return _INTERRUPTED


def _shrink_all(arguments: argparse.Namespace) -> int:
    failing = []
    for seed in arguments.seeds:
        plan = plan_life(seed)
        failing.append(shrink(_with_jobs(plan, arguments), _faults(plan, arguments), arguments.without))
    return int(any(failing))


def _live_and_tell(arguments: argparse.Namespace) -> int:
    seeds: Iterator[int] = iter(arguments.seeds)
    until = float("inf")
    if not arguments.seeds:
        seeds, until = count(SystemRandom().randrange(2**32)), machine.real_seconds() + 60 * arguments.minutes
    options = {"faults": arguments.faults, "jobs": arguments.jobs, "without": arguments.without}
    tally = Tally(partial(repeating, **options))
    for plan, result in _live_all((_plan(seed, arguments) for seed in seeds), until, arguments.processes):
        tally.take(plan, result)
        if result.failure or arguments.seeds:
            say(*_told(plan, result))
    say(*tally.lines())
    return int(bool(tally.failed))


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    """Returns the arguments; ends the program with a line of what is wrong with them."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    if not arguments.seeds and (arguments.shrink or arguments.faults is not None):
        parser.error("--shrink and --faults are for given seeds")
    for seed in arguments.seeds:
        most = len(plan_life(seed).breakages)
        if any(number >= most for number in arguments.faults or ()):
            parser.error(f"argument --faults: seed {seed} has the faults 0 to {most - 1}")
    return arguments


def _parser() -> argparse.ArgumentParser:
    usage = "%(prog)s [SEED ...] [options]; --help lists them"
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", usage=usage, description=__doc__)
    parser.add_argument("seeds", nargs="*", type=_natural, metavar="SEED", help="lives of these seeds alone")
    parser.add_argument("--minutes", type=_minutes, default=1.0, help="lives of new seeds for so long (1)")
    parser.add_argument(
        "--processes", type=_positive, default=os.cpu_count() or 1, help="lives at once (one a processor)"
    )
    parser.add_argument("--shrink", action="store_true", help="find fewer faults and jobs with which the seeds fail")
    parser.add_argument("--faults", type=_numbers, help="numbers of the faults that happen, with commas between (all)")
    parser.add_argument(
        "--without",
        action="append",
        default=[],
        choices=PROTECTIONS,
        metavar="NAME",
        help=f"take a protection of the product out, so that lives fail: {', '.join(PROTECTIONS)}",
    )
    parser.add_argument("--jobs", type=_positive, help="jobs of the history (as the seed says)")
    return parser


def _natural(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no number of 0 or more")
    return int(text)


def _positive(text: str) -> int:
    number = _natural(text)
    if number == 0:
        raise argparse.ArgumentTypeError("0 is too few")
    return number


def _minutes(text: str) -> float:
    try:
        minutes = float(text)
    except ValueError:
        minutes = 0.0
    if not minutes > 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no time")
    return minutes


def _numbers(text: str) -> list[int]:
    return [_natural(number) for number in text.split(",") if number]


def _faults(plan: Plan, arguments: argparse.Namespace) -> list[int]:
    """Returns the numbers of the faults that are to happen."""
    return list(range(len(plan.breakages))) if arguments.faults is None else sorted(set(arguments.faults))


def _with_jobs(plan: Plan, arguments: argparse.Namespace) -> Plan:
    return plan if arguments.jobs is None else replace(plan, jobs=arguments.jobs)


def _plan(seed: int, arguments: argparse.Namespace) -> Plan:
    plan = plan_life(seed)
    return _with_jobs(plan.only(_faults(plan, arguments)), arguments)


def _live_all(plans: Iterator[Plan], until_seconds: float, processes: int) -> Iterator[tuple[Plan, Result]]:
    """Yields plans with their results as lives end; none begins after `until_seconds` of the real clock."""
    children: list[Child] = []
    is_over = False
    try:
        while True:
            while len(children) < processes and not is_over:
                plan = next(plans, None) if machine.real_seconds() < until_seconds else None
                is_over = plan is None
                if plan is not None:
                    children.append(Child(plan))
            if not children:
                return
            for child, result in wait_for(children, _LOOK_SECONDS):
                children.remove(child)
                yield child.plan, result
    finally:
        for child in children:  # that an interruption leaves
            child.stop()


@dataclass(slots=True)
class Tally:
    """Adds up what lives have shown; `repeat` returns the command that repeats the life of a seed."""

    repeat: Callable[[int], str]
    lives: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    in_vain: Counter[str] = field(default_factory=Counter)
    records: int = 0
    answers: int = 0
    refusals: int = 0
    cpu_seconds: float = 0.0
    failed: list[int] = field(default_factory=list)

    def take(self, plan: Plan, result: Result) -> None:
        """Takes in one life."""
        self.lives += 1
        self.cpu_seconds += result.cpu_seconds
        if result.failure:
            self.failed.append(plan.seed)
            return
        self.faults.update(each.fault for each in plan.breakages)
        self.faults.subtract(each for each in result.in_vain if each in self.faults)  # others are parts of a fault
        self.in_vain.update(result.in_vain)
        self.records += result.records
        self.answers += result.answers
        self.refusals += result.refusals

    def lines(self) -> Iterator[str]:
        """Yields what there is to tell in the end."""
        faults = self.faults.total()
        yield f"survived: {_listed(self.faults)}"
        if self.in_vain:
            yield f"in vain, and not counted: {_listed(self.in_vain)}"
        yield (
            f"{self.lives} lives, {faults} faults survived, {self.records} records, {self.answers} answers,"
            f" {self.refusals} refusals; {faults / max(self.cpu_seconds, 0.001) * 60:.0f} faults a minute of a core"
        )
        if self.failed:
            yield f"FAILED: {' '.join(map(str, self.failed))}; repeat with: {self.repeat(self.failed[0])}"


def _listed(times: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(times.items()))


def _told(plan: Plan, result: Result) -> Iterator[str]:
    yield (
        f"seed {plan.seed}: {plan.consumers} consumers, {plan.nodes} nodes, {plan.primaries} primaries,"
        f" {plan.jobs} jobs, {'an idempotent' if plan.is_idempotent else 'a repeating'} producer, {plan.kind} life"
    )
    happening = set(plan.breakages)
    for number, each in enumerate(plan_life(plan.seed).breakages):
        if each in happening:
            yield f"  {number}: {each.begins_seconds:6.2f} s {each.fault} for {each.lasts_seconds:.2f} s"
    if result.failure:
        yield from result.log
        yield result.failure
    yield (
        f"  {'FAILED' if result.failure else 'well'}: {result.records} records, {result.answers} answers,"
        f" {result.virtual_seconds:.1f} virtual seconds, {result.cpu_seconds:.2f} s of a core, trace {result.trace:08x}"
    )
