"""The metrics of a process as tests see them: by name, with type and labels, and the table that says the same."""

from typing import Any, NamedTuple

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from tests.docs import documents, quoted, table

_OF_THE_INTERPRETER = ("process_", "python_")
_OF_HISTOGRAMS = {"le"}


class Described(NamedTuple):
    """What a metric is: its type, as Prometheus has it, and the names of its labels."""

    type: str
    labels: frozenset[str]


def documented(*processes: str) -> dict[str, Described]:
    """Returns what docs/metrics.md says of the metrics of these processes: `the API`, `consumers`, `both`."""
    page = documents()["docs/metrics.md"]
    rows = [row for process in processes for row in table(page, f"metric of {process}")]
    names = [quoted(row[0])[0] for row in rows]
    assert len(names) == len(set(names))
    return {name: Described(row[2], frozenset(quoted(row[1]))) for name, row in zip(names, rows, strict=True)}


def described(registry: CollectorRegistry) -> dict[str, Described]:
    """Returns the metrics of a registry, with their labels also where there are no series yet."""
    found = {}
    for collector in registry._collector_to_names:
        given: Any = getattr(collector, "_labelnames", getattr(collector, "labels", None))
        for family in collector.collect():
            if not family.name.startswith(_OF_THE_INTERPRETER):
                labels = {name for sample in family.samples for name in sample.labels} - _OF_HISTOGRAMS
                name, kind = _in_text(family)
                found[name] = Described(kind, frozenset(given or labels))
    return found


def scraped(text: str) -> dict[str, Described]:
    """Returns the metrics of a scrape; those without series seem to have no labels."""
    found = {}
    for family in text_string_to_metric_families(text):
        if not family.name.startswith(_OF_THE_INTERPRETER):
            labels = {name for sample in family.samples for name in sample.labels} - _OF_HISTOGRAMS
            name, kind = _in_text(family)
            found[name] = Described(kind, frozenset(labels))
    return found


def _in_text(family: Metric) -> tuple[str, str]:
    """Returns the name and the type that a family has in the text format."""
    match family.type:
        case "counter":
            return f"{family.name}_total", family.type
        case "info":
            return f"{family.name}_info", "gauge"
        case _:
            return family.name, family.type
