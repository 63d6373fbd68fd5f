"""Shrinks a life that fails: leaves out faults, then jobs, as long as it fails in the same way."""

from collections.abc import Sequence
from dataclasses import replace

from tests.simulation.child import Child, Result, wait_for
from tests.simulation.life.plan import Plan

_FEWEST_JOBS = 5


def shrink(plan: Plan) -> bool:
    """Prints the smallest life found that fails like the plan's; returns whether the plan fails at all."""
    first = _live(plan)
    if not first.failure:
        _say(f"seed {plan.seed} does not fail")
        return False
    kind = _kind(first)
    _say(f"seed {plan.seed} fails: {kind}")
    faults = list(range(len(plan.breakages)))

    def fails(some: Sequence[int], jobs: int) -> bool:
        return _kind(_live(replace(plan.only(some), jobs=jobs))) == kind

    jobs = plan.jobs
    size = max(1, len(faults) // 2)
    while size:
        at = 0
        while at < len(faults):
            fewer = faults[:at] + faults[at + size :]
            if fails(fewer, jobs):
                faults = fewer
                _say(f"  without {size} more: {len(faults)} faults are left")
            else:
                at += size
        size //= 2
    while jobs > _FEWEST_JOBS and fails(faults, jobs // 2):
        jobs //= 2
        _say(f"  with {jobs} jobs")
    text = ",".join(map(str, faults))
    _say(f"make simulate SEED={plan.seed} FAULTS={text} JOBS={jobs}", *(f"  {plan.breakages[each]}" for each in faults))
    return True


def _live(plan: Plan) -> Result:
    child = Child(plan)
    while True:
        for _, result in wait_for([child], 1.0):
            return result


def _kind(result: Result) -> str:
    """Returns the last line of a failure without its numbers."""
    lines = result.failure.strip().splitlines()
    return "".join(each for each in lines[-1] if not each.isdigit())[:80] if lines else ""


def _say(*lines: str) -> None:
    for line in lines:
        print(line, flush=True)  # noqa: T201 - what the command is for
