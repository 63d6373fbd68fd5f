"""A real Prometheus over a running stack has data for each rule and each panel."""

import re
import shutil
from collections.abc import AsyncIterator

import pytest

from deploy.grafana.dashboard import expression
from deploy.grafana.panels import Query
from deploy.grafana.rows import ROWS
from tests.conftest import require_part
from tests.monitoring.live_prometheus import Prometheus, run_prometheus
from tests.monitoring.rule_cases import CASES
from tests.monitoring.rules import alerts, recordings
from tests.monitoring.stack import Stack

QUERIES = [query for row in ROWS for chart in row.charts for query in chart.queries]
# What has no series as long as all is well. Each is in a case of an alert, where it has some.
EMPTY_WHEN_WELL = (
    "stats_consumer_unreadable_offset",
    "stats_http_connections_refused_total",
    'stats_http_requests_total{status="500"}',
    "stats_identity_request",  # with a secret for tokens nobody is asked
)
_SELECTOR = re.compile(r"(?:\bstats_|namespace:stats_|\bprocess_|\bup\b)[\w:]*(?:\{[^}]*\})?")


@pytest.fixture(scope="module")
async def prometheus(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Prometheus]:
    """Prometheus over the stack, after questions that were answered, were not valid, and were too many."""
    program = shutil.which("prometheus")
    require_part(program is not None, "prometheus")
    assert program is not None
    ports = {"stats-api": stack.api_port, "stats-consumer": stack.metrics_port}
    assert (await stack.ask("asker"))[0] == 200
    assert (await stack.ask("asker", "?start=x"))[0] == 400
    assert (await stack.ask("asker", token="none"))[0] == 401
    while (await stack.ask("eager"))[0] != 429:
        pass
    async with run_prometheus(program, tmp_path_factory.mktemp("prometheus"), ports) as running:
        yield running


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.expression)
async def test_each_query_of_the_dashboard_has_data(prometheus: Prometheus, query: Query) -> None:
    """With the values that Grafana gives its variables."""
    text = expression(query).replace("$job", ".+").replace("$instance", ".+")
    text = text.replace("$__rate_interval", "1m").replace("$__range", "1h")
    if any(each in text for each in EMPTY_WHEN_WELL):
        await prometheus.series(text)  # is valid
    else:
        await prometheus.wait_for(text)


@pytest.mark.parametrize("name", recordings())
async def test_each_recording_rule_has_data(prometheus: Prometheus, name: str) -> None:
    """Under the name that it records."""
    await prometheus.wait_for(name)


@pytest.mark.parametrize(
    "selector", sorted({each for alert in alerts() for each in _SELECTOR.findall(alert.expression)})
)
async def test_what_alerts_look_at_has_data(prometheus: Prometheus, selector: str) -> None:
    """Each selector of each alert, so that no alert is silent because it looks at nothing."""
    if not selector.startswith(EMPTY_WHEN_WELL):
        await prometheus.wait_for(selector)


def test_what_is_empty_when_all_is_well_is_in_a_case() -> None:
    """There it has series, and an alert fires."""
    shown = " ".join(series for case in CASES for series in case.series)
    assert all(each.split("{")[0] in shown for each in EMPTY_WHEN_WELL)
