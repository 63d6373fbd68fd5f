"""What one run of the benchmark is, and what a measurement gives back."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path

from bench.streams import StreamSpec

Row = dict[str, str | int | float]
"""One line of a table: columns, whose names end in their unit, and values; `measured` names what was measured."""

_LEAST_JOBS = 500


@dataclass(frozen=True, slots=True)
class Run:
    """Where a run writes, the share of the full size that it has, how often it repeats, and whom it tells."""

    folder: Path
    scale: float
    repeats: int
    say: Callable[[str], None]

    def sized(self, spec: StreamSpec) -> StreamSpec:
        """A stream at this run's size, over the same span of time."""
        return replace(spec, jobs=self.count(spec.jobs, _LEAST_JOBS))

    def count(self, full: int, least: int) -> int:
        """A number of things at this run's size, never fewer than `least`."""
        return max(least, round(full * self.scale))


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that `percent` of all values do not exceed."""
    return sorted(values)[max(0, ceil(len(values) * percent / 100) - 1)]
