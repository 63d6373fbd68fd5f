"""Makes Grafana's dashboard of its rows."""

import json
from collections.abc import Iterator
from pathlib import Path

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models

from deploy.grafana.panels import Chart, Query
from deploy.grafana.rows import ROWS

PATH = Path(__file__).with_name("job-statistics.json")
_OF = 'job=~"$job",instance=~"$instance"'
_QUESTIONS = 'route=~".+/gene/statistics(/timeseries)?"'
_SOURCE = models.DataSourceRef("prometheus", "$datasource")
_HEIGHT, _HEIGHT_OF_NUMBER = 8, 4


def render() -> str:
    """Returns the dashboard's JSON as Grafana imports it."""
    return json.dumps(_dashboard().build(), cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


def _dashboard() -> dashboard.Dashboard:
    built = (
        dashboard.Dashboard("Gene job statistics")
        .uid("gene-job-statistics")
        .description("Is it right, is it fast, is it full, what do the jobs do? docs/operating.md says what to do.")
        .tags(["gene-job-statistics"])
        .timezone("browser")
        .time("now-3h", "now")
        .refresh("30s")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .readonly()
    )
    built.with_variable(dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"))
    built.with_variable(_values_of("job", "Job", "label_values(stats_build_info, job)"))
    built.with_variable(_values_of("instance", "Instance", 'label_values(stats_build_info{job=~"$job"}, instance)'))
    panel_id = 0
    for row in ROWS:
        panel_id += 1
        built.with_row(dashboard.Row(row.title).id(panel_id))
        for chart in row.charts:
            panel_id += 1
            built.with_panel(_panel(chart, panel_id))
    return built


def _values_of(name: str, label: str, query: str) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .datasource(_SOURCE)
        .query(query)
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .current(models.VariableOption(selected=True, text="All", value="$__all"))
    )


def _panel(chart: Chart, panel_id: int) -> stat.Panel | timeseries.Panel:
    panel = _number(chart) if chart.steps else _over_time()
    panel.id(panel_id).title(chart.title).description(chart.description).unit(chart.unit).span(chart.width)
    panel.datasource(_SOURCE).targets(list(_targets(chart)))
    if chart.empty_when:
        panel.no_value(chart.empty_when)
    return panel


def _number(chart: Chart) -> stat.Panel:
    steps = [models.Threshold(value, color) for value, color in chart.steps]
    thresholds = dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(steps)
    last = common.ReduceDataOptions().calcs(["lastNotNull"])
    return stat.Panel().height(_HEIGHT_OF_NUMBER).thresholds(thresholds).reduce_options(last)


def _over_time() -> timeseries.Panel:
    legend = (
        common.VizLegendOptions()
        .display_mode(common_models.LegendDisplayMode.LIST)
        .placement(common_models.LegendPlacement.BOTTOM)
        .show_legend(True)
    )
    return timeseries.Panel().height(_HEIGHT).legend(legend).min(0).fill_opacity(10)


def _targets(chart: Chart) -> Iterator[prometheus.Dataquery]:
    for number, query in enumerate(chart.queries):
        target = (
            prometheus.Dataquery().expr(expression(query)).legend_format(query.legend).ref_id(chr(ord("A") + number))
        )
        yield target.instant() if chart.steps else target.range()


def expression(query: Query) -> str:
    """Returns a query with the selectors of the dashboard's variables."""
    return query.expression.replace("$of", _OF).replace("$questions", _QUESTIONS)
