"""Prometheus' own promtool takes the rules, and shows each alert firing and clearing."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import require_part
from tests.monitoring.rule_cases import CASES, Case
from tests.monitoring.rules import RULES_FILE, Alert, alerts

BY_NAME = {alert.name: alert for alert in alerts()}


@pytest.fixture(scope="module")
def promtool() -> str:
    """Prometheus' tool; Debian's package `prometheus` has it."""
    program = shutil.which("promtool")
    require_part(program is not None, "promtool")
    assert program is not None
    return program


def run(program: str, *arguments: str) -> None:
    """Runs promtool, which must find nothing wrong."""
    result = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)  # noqa: S603
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_rules_and_the_configuration_are_valid(promtool: str) -> None:
    """As promtool's checks see them."""
    run(promtool, "check", "rules", "--lint-fatal", str(RULES_FILE))
    run(promtool, "check", "config", "--lint-fatal", str(RULES_FILE.with_name("prometheus.yml")))


def test_each_alert_has_a_case_of_firing_and_clearing() -> None:
    """None is without one."""
    assert {case.alert for case in CASES} == BY_NAME.keys()


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert.name)
def test_alerts_say_what_is_wrong(alert: Alert) -> None:
    """Each has a severity, a summary, and a description with values of the moment."""
    assert alert.severity in {"critical", "warning", "info"}
    assert alert.annotations.keys() == {"summary", "description", "runbook_url"}
    assert "$value" in alert.annotations["description"]


@pytest.mark.parametrize("step", sorted({case.step for case in CASES}))
def test_alerts_fire_and_clear(promtool: str, tmp_path: Path, step: str) -> None:
    """Each with the text that somebody on call reads."""
    tests = [_test(case) for case in CASES if case.step == step]
    path = tmp_path / "cases.yml"
    path.write_text(json.dumps({"rule_files": [str(RULES_FILE)], "evaluation_interval": step, "tests": tests}))
    run(promtool, "test", "rules", str(path))


def _test(case: Case) -> dict[str, Any]:
    alert = BY_NAME[case.alert]
    firing = {
        "exp_labels": {**case.labels, "severity": alert.severity},
        "exp_annotations": {**alert.annotations, "description": case.description},
    }
    steps: Sequence[tuple[str, list[Any]]] = ((case.quiet_at, []), (case.fires_at, [firing]), (case.clears_at, []))
    return {
        "name": f"{case.alert}: {case.what}",
        "interval": case.step,
        "input_series": [{"series": series, "values": values} for series, values in case.series.items()],
        "alert_rule_test": [
            {"alertname": case.alert, "eval_time": time, "exp_alerts": expected} for time, expected in steps
        ],
    }
