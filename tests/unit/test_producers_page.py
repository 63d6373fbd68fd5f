"""What docs/producers.md shows is so: its examples, its table of fields, and what `check` says."""

import json
from pathlib import Path

import pytest

from consumers.commands.check import _judge
from consumers.commands.frame import main
from service.events.cloudevents import REQUIRED
from service.events.documents import job_event_schema
from service.events.event import JobStatus
from service.events.schema import EXAMPLE, JobEventModel
from tests.docs import documents, fenced, quoted, table

PAGE, README = documents()["docs/producers.md"], documents()["README.md"]
EXAMPLES = fenced(PAGE, "json")


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_are_events(example: str) -> None:
    """The decoder takes each of them; the first is the one of the published schemas."""
    assert len(EXAMPLES) == 2
    assert json.loads(EXAMPLES[0]) == EXAMPLE
    _judge(example.encode(), len(example.encode()))


def test_example_of_the_readme_is_an_event() -> None:
    """It stands in an indented block."""
    start = README.index('{"event_id"')
    value = README[start : README.index("}", start) + 1].encode()
    _judge(value, len(value))


def test_fields() -> None:
    """The table has each field of the model, in its order, with its bounds and whether it may be left out."""
    schema = job_event_schema()
    rows = table(PAGE, "field")
    assert [quoted(row[0])[0] for row in rows] == list(JobEventModel.model_fields)
    for row, (name, field) in zip(rows, JobEventModel.model_fields.items(), strict=True):
        assert ("optional" in row[1]) == (not field.is_required())
        bounds = schema["properties"][name]
        bounds = bounds.get("anyOf", [bounds])[0]
        if bounds["type"] == "integer":
            powers = {2**53 - 1: "2^53-1", 2**31 - 1: "2^31-1"}
            assert f"{bounds['minimum']} to {powers[bounds['maximum']]}" in row[2]
        elif name == "status":
            assert quoted(row[2]) == list(JobStatus.__members__)
        else:
            assert f"1 to {bounds['maxLength']} " in row[2]
            assert ("`A-Z a-z 0-9 _ -`" in row[2]) == name.endswith(("project_id", "user_id", "job_id"))


def test_order_of_statuses() -> None:
    """That of the list under *Number the transitions*."""
    found = quoted(PAGE[PAGE.index("then `status`, in the order") :])[1:7]
    assert found == list(JobStatus.__members__)


def test_headers_of_cloud_events() -> None:
    """All that are required, and the content type."""
    named = [name for row in table(PAGE, "header") for name in quoted(row[0])]
    assert sorted(named) == sorted(["content-type", *(f"ce_{name}" for name in REQUIRED)])


def test_what_check_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its output for the lines that are shown is the output that is shown."""
    lines, output = fenced(PAGE, "")
    (tmp_path / "events.jsonl").write_text(lines)
    assert main(["check", str(tmp_path / "events.jsonl")]) == 1
    captured = capsys.readouterr()
    assert captured.out == output
    assert f"`{captured.err.strip()}`" in PAGE
