"""What one run of the benchmark is, and what a measurement gives back."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from pathlib import Path

from bench.streams import StreamSpec

Row = dict[str, str | int | float]
"""One line of a table: columns, whose names end in their unit, and values; `measured` names what was measured."""

VOID = "is_void"
"""Only a row that does not count has it."""

_LEAST_JOBS = 500


@dataclass(frozen=True, slots=True)
class Goal:
    """A ratio or a size that a run must reach."""

    name: str
    value: float
    limit: float
    at_least: bool
    is_void: bool = False

    @property
    def is_met(self) -> bool:
        """Whether the value is on the right side of the limit."""
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    @property
    def verdict(self) -> str:
        """What is said of it: yes, no, or void where what it was measured by does not count."""
        return "void" if self.is_void else "yes" if self.is_met else "no"


@dataclass(frozen=True, slots=True)
class Part:
    """What a part of the benchmark has measured, in how many seconds."""

    name: str
    rows: Sequence[Row]
    goals: Sequence[Goal]
    seconds: float


@dataclass(frozen=True, slots=True)
class Run:
    """Where a run writes, its share of the full size, how often it passes over each stream, and whom it tells.

    A row that does not count is measured again, `tries` times in all, see bench.waiting.
    """

    folder: Path
    scale: float
    repeats: int
    say: Callable[[str], None]
    tries: int = 3
    goals: list[Goal] = field(default_factory=list)

    def reach(self, name: str, value: float, at_least: float, of: Iterable[Row] = ()) -> None:
        """States a goal that is met from `at_least` on, and void if one of the rows is that its value is of."""
        self.goals.append(Goal(name, value, at_least, at_least=True, is_void=any(map(is_void, of))))

    def keep(self, name: str, value: float, at_most: float, of: Iterable[Row] = ()) -> None:
        """States a goal that is met up to `at_most`, and void if one of the rows is that its value is of."""
        self.goals.append(Goal(name, value, at_most, at_least=False, is_void=any(map(is_void, of))))

    def sized(self, spec: StreamSpec) -> StreamSpec:
        """A stream at this run's size, over the same span of time."""
        return replace(spec, jobs=self.count(spec.jobs, _LEAST_JOBS))

    def count(self, full: int, least: int) -> int:
        """A number of things at this run's size, never fewer than `least`."""
        return max(least, round(full * self.scale))


def is_void(row: Row) -> bool:
    """Whether a row does not count, see bench.waiting."""
    return VOID in row


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that `percent` of all values do not exceed."""
    return sorted(values)[max(0, ceil(len(values) * percent / 100) - 1)]
