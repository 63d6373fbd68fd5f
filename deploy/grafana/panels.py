"""What a row of the dashboard is made of. `rows` has them, and `dashboard` makes Grafana's panels of it.

In queries `$of` stands for the selectors of the dashboard's variables, and `$questions` for the routes that answer
questions about a project.
"""

from collections.abc import Sequence
from dataclasses import dataclass

WIDE, THREE_QUARTERS, HALF, THIRD, QUARTER = 24, 18, 12, 8, 6


@dataclass(frozen=True, slots=True)
class Query:
    """A query of PromQL, and Grafana's format of its series' names."""

    expression: str
    legend: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart over time, or with `steps` one number with colors from each step's value on.

    `unit` is Grafana's id of a unit. `empty_when` says when the queries rightly have no data.
    """

    title: str
    description: str
    unit: str
    width: int
    queries: Sequence[Query]
    steps: Sequence[tuple[float | None, str]] = ()
    empty_when: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of charts with a question for its title."""

    title: str
    charts: Sequence[Chart]
