"""deploy/prometheus/rules.yml as tests see it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.servers import PROJECT

RULES_FILE: Path = PROJECT / "deploy" / "prometheus" / "rules.yml"


@dataclass(frozen=True, slots=True)
class Alert:
    """An alerting rule."""

    name: str
    expression: str
    severity: str
    annotations: dict[str, str]

    @property
    def runbook(self) -> tuple[str, str]:
        """The file below the project and the anchor in it that the alert leads to."""
        path, _, anchor = self.annotations["runbook_url"].partition("#")
        return path, anchor


def alerts() -> list[Alert]:
    """All alerting rules, in the file's order."""
    return [
        Alert(rule["alert"], rule["expr"], rule["labels"]["severity"], rule["annotations"])
        for rule in _rules()
        if "alert" in rule
    ]


def recordings() -> dict[str, str]:
    """The expressions of all recording rules, by the names that they record."""
    return {rule["record"]: rule["expr"] for rule in _rules() if "record" in rule}


def _rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(RULES_FILE.read_text())["groups"] for rule in group["rules"]]
