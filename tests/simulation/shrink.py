"""Shrinks a life that fails: leaves out faults, then jobs, as long as it fails in the same way."""

import re
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tests.simulation.child import Child, Result, wait_for
from tests.simulation.life.plan import Plan

_FEWEST_JOBS = 5
_PLACE = re.compile(r'File "(.*)", line \d+, in (\S+)')


def repeating(seed: int, faults: Sequence[int] | None, jobs: int | None, without: Sequence[str]) -> str:
    """Returns the command that repeats a life; None stands for all faults, and for as many jobs as the seed says."""
    words = ["make", "simulate", f"SEED={seed}"]
    if faults is not None:
        words.append(f"FAULTS={','.join(map(str, faults))}")
    if jobs is not None:
        words.append(f"JOBS={jobs}")
    if without:
        words.append(f"WITHOUT={' '.join(without)}")
    return shlex.join(words)


def shrink(plan: Plan, faults: list[int], without: Sequence[str]) -> bool:
    """Prints the smallest life found that fails like the plan's with these of its faults; returns whether that fails.

    The protections that it goes `without` have been taken out already.
    """
    first = _live(plan.only(faults))
    if not first.failure:
        say(f"seed {plan.seed} does not fail")
        return False
    kind = kind_of(first)
    say(f"seed {plan.seed} fails: {kind}")

    def fails(some: Sequence[int], jobs: int) -> bool:
        return kind_of(_live(replace(plan.only(some), jobs=jobs))) == kind

    jobs = plan.jobs
    size = max(1, len(faults) // 2)
    while size:
        at = 0
        while at < len(faults):
            fewer = faults[:at] + faults[at + size :]
            if fails(fewer, jobs):
                faults = fewer
                say(f"  without {size} more: {len(faults)} faults are left")
            else:
                at += size
        size //= 2
    while jobs > _FEWEST_JOBS and fails(faults, jobs // 2):
        jobs //= 2
        say(f"  with {jobs} jobs")
    say(repeating(plan.seed, faults, jobs, without))
    say(*(f"  {number}: {plan.breakages[number]}" for number in faults))
    return True


def _live(plan: Plan) -> Result:
    child = Child(plan)
    try:
        while True:
            for _, result in wait_for([child], 1.0):
                return result
    except KeyboardInterrupt:
        child.stop()
        raise


def kind_of(result: Result) -> str:
    """Returns the last line of a failure without its numbers and what it has in brackets, and where it was raised."""
    lines = [stripped for line in result.failure.splitlines() if (stripped := line.strip(" |+-"))]  # of a group, too
    if not lines:
        return ""
    places = _PLACE.findall(result.failure)
    where = f" in {Path(places[-1][0]).name}: {places[-1][1]}" if places else ""
    return re.sub(r"[(\[{].*|\d", "", lines[-1])[:80].rstrip() + where


def say(*lines: str) -> None:
    """Prints lines at once, also where the output is a file."""
    for line in lines:
        print(line, flush=True)  # noqa: T201 - what the command is for
