"""What the image installs: the exact versions of constraints.txt, each with its hashes."""

import re
import tomllib
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
IMAGE = PROJECT / "deploy" / "image"
_PIN = re.compile(r"(?m)^(([A-Za-z0-9._-]+)==[^\s;]+(?: ; [^\\\n]+)?)")


def pins(path: Path) -> set[str]:
    """Returns the lines `name==version` of a file of requirements, with their conditions and without hashes."""
    return {pin.strip() for pin, _ in _PIN.findall(path.read_text())}


def names(path: Path) -> set[str]:
    """Returns the names of the packages in a file of requirements."""
    return {name for _, name in _PIN.findall(path.read_text())}


def required(requirements: list[str]) -> set[str]:
    """Returns the names of the packages that a list of pyproject.toml names, as files of requirements write them."""
    return {re.split(r"[^A-Za-z0-9._-]", each)[0].lower().replace("_", "-") for each in requirements}


@pytest.mark.parametrize("name", ["requirements.txt", "build-requirements.txt"])
def test_versions_are_those_of_the_constraints(name: str) -> None:
    """`make requirements` writes the files anew."""
    assert pins(IMAGE / name) <= pins(PROJECT / "constraints.txt")


def test_all_that_is_required_is_there() -> None:
    """The image has what the service requires, also to send traces, and what builds the wheel."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    assert required([*project["project"]["dependencies"], *extras["otel"]]) <= names(IMAGE / "requirements.txt")
    assert required(project["build-system"]["requires"]) <= names(IMAGE / "build-requirements.txt")


@pytest.mark.parametrize("name", ["requirements.txt", "build-requirements.txt"])
def test_each_line_is_a_version_or_a_hash_of_one(name: str) -> None:
    """No file names an address, and no package is without hashes."""
    text = (IMAGE / name).read_text()
    requirement = r"[a-z0-9.-]+==[^\s;]+(?: ; [^\\\n]+)?(?: \\\n    --hash=sha256:[0-9a-f]{64})+\n"
    assert re.fullmatch(f"(?:{requirement})+", text)
