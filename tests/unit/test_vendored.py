"""The console's libraries are what the lock file names, and nobody has changed them since."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from deploy.console.vendor import VENDOR, digests

_DEPLOY = Path(__file__).parents[2] / "deploy" / "console"
_SAID = json.loads((VENDOR / "versions.json").read_text())
# What a page without `unsafe-eval` blocks: ECharts as a whole has a `new Function`.
_MADE_OF_TEXT = re.compile(rb"\bnew Function\b|\beval\(|\bFunction\(|javascript:|https?://(?!www\.w3\.org/)")


def test_files_are_those_that_were_made() -> None:
    """Each file has the digest that versions.json says, none is missing, and none was added."""
    assert digests(VENDOR) == _SAID["files"]


@pytest.mark.parametrize("name", sorted(_SAID["packages"]))
def test_versions_are_those_of_the_lock_file(name: str) -> None:
    """A change of the lock file without `make vendor` is found."""
    locked: dict[str, Any] = json.loads((_DEPLOY / "package-lock.json").read_text())["packages"][f"node_modules/{name}"]
    said = _SAID["packages"][name]
    assert {key: locked[key] for key in ("version", "license", "integrity")} == {
        key: said[key] for key in ("version", "license", "integrity")
    }
    assert any((VENDOR / said["folder"]).rglob("LICENSE*"))


def test_every_package_is_locked_by_its_digest() -> None:
    """Also the tools: npm checks what it gets. No address of a registry is in the lock file."""
    packages = json.loads((_DEPLOY / "package-lock.json").read_text())["packages"]
    del packages[""]
    assert all(package["integrity"].startswith("sha512-") for package in packages.values())
    assert not any("resolved" in package for package in packages.values())


@pytest.mark.parametrize("path", sorted(VENDOR.rglob("*.js")), ids=lambda path: str(path.relative_to(VENDOR)))
def test_modules_run_under_the_policy(path: Path) -> None:
    """No library makes code of text, or names an address of elsewhere."""
    assert _MADE_OF_TEXT.findall(path.read_bytes()) == []
