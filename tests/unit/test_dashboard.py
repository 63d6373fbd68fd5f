"""The dashboard's JSON is what the code makes, and what Grafana can lay out."""

import json
from itertools import combinations
from typing import Any

from deploy.grafana.dashboard import PATH, render

DASHBOARD: dict[str, Any] = json.loads(PATH.read_text())
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
CHARTS = [panel for panel in PANELS if panel["type"] != "row"]
_COLUMNS = 24


def test_the_json_is_current() -> None:
    """Write it anew: `python -m deploy.grafana`."""
    assert PATH.read_text() == render()


def test_each_panel_is_one() -> None:
    """No other has its id or its title."""
    for key in ("id", "title"):
        values = [panel[key] for panel in PANELS]
        assert len(set(values)) == len(values)


def test_panels_lie_beside_each_other() -> None:
    """None is beyond the grid, and none on another."""
    for panel in PANELS:
        place = panel["gridPos"]
        assert 0 <= place["x"] < place["x"] + place["w"] <= _COLUMNS
    for one, other in combinations([panel["gridPos"] for panel in PANELS], 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        assert beside or one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]


def test_charts_say_what_they_show() -> None:
    """Each has a description, a unit, queries of the chosen source, and names for its series."""
    for chart in CHARTS:
        assert chart["description"]
        assert chart["fieldConfig"]["defaults"]["unit"]
        assert chart["datasource"]["uid"] == "$datasource"
        assert all(target["expr"] and target["legendFormat"] for target in chart["targets"])


def test_charts_can_be_narrowed_to_some_processes() -> None:
    """By data source, job and instance; nothing is left of the code's own stand-ins."""
    assert [variable["name"] for variable in DASHBOARD["templating"]["list"]] == ["datasource", "job", "instance"]
    for chart in CHARTS:
        for target in chart["targets"]:
            assert 'job=~"$job",instance=~"$instance"' in target["expr"]
            assert not {"$of", "$questions"} & set(target["expr"].replace("{", " ").replace(",", " ").split())
