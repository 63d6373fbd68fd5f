"""The docs name what the code has, and nothing else: settings, commands, exit codes, reasons, errors."""

import re
from typing import get_args

import pytest
from pydantic_settings import BaseSettings

import consumers.__main__
import service.__main__
from consumers.commands import frame
from consumers.dead_letters import letter
from service.api.access import TOKEN
from service.api.resources import statistics
from service.events.decoding import Reason
from service.http.errors import CATALOGUE
from service.http.languages import ACCEPT_LANGUAGE, X_LANGUAGE
from service.http.responses import REQUEST_ID
from service.runtime import early
from service.runtime.settings import ConsumerSettings, ServiceSettings
from service.runtime.tracing import TRACEPARENT
from tests.docs import documents, everything, quoted, table

README, OPERATING, STABILITY, PRODUCERS = (
    documents()[path] for path in ("README.md", "docs/operating.md", "docs/stability.md", "docs/producers.md")
)
FIELDS = {
    f"STATS_{name.upper()}": field
    for model in (ServiceSettings, ConsumerSettings)
    for name, field in model.model_fields.items()
}
OF_TESTS_AND_CI = re.compile(r"STATS_(TEST|CI)_\w+")


def codes(module: object) -> set[int]:
    """The exit codes that a module names."""
    return {value for name, value in vars(module).items() if name.startswith("EXIT_")}


def test_settings() -> None:
    """The table in the README has each setting once, with its default; no document names another."""
    rows = table(README, "variable")
    documented = [name for row in rows for name in quoted(row[0])]
    assert sorted(documented) == sorted(FIELDS)
    named = {name for name in re.findall(r"\bSTATS_[A-Z_]*[A-Z]\b", everything()) if not OF_TESTS_AND_CI.match(name)}
    assert named <= FIELDS.keys()


@pytest.mark.parametrize("row", table(README, "variable"), ids=lambda row: quoted(row[0])[0])
def test_defaults(row: list[str]) -> None:
    """Each row of the README's table has the defaults that the code has."""
    for name in quoted(row[0]):
        default = FIELDS[name].default
        if default is None:
            assert "none" in row[1]
        elif isinstance(default, frozenset):
            assert set(quoted(row[1])[0].split(",")) == default
        else:
            assert (str(default).lower() if isinstance(default, bool) else str(default)) in quoted(row[1])


def test_settings_are_of_the_processes_that_have_them() -> None:
    """The last column of the README's table says whether the API, the consumer or both have the setting."""
    of: dict[str, type[BaseSettings]] = {"API": ServiceSettings, "consumer": ConsumerSettings}
    for row in table(README, "variable"):
        have = {
            who for who, model in of.items() if quoted(row[0])[0].removeprefix("STATS_").lower() in model.model_fields
        }
        assert row[2] == ("both" if len(have) == 2 else have.pop()), row[0]


def test_commands() -> None:
    """docs/operating.md names each command of an operator, and no document another."""
    named = set(re.findall(r"python -m consumers ([a-z][a-z-]*[a-z])", everything()))
    assert named == {*frame.COMMANDS, *frame.FILE_COMMANDS}
    assert all(f"python -m consumers {name}" in OPERATING for name in frame.COMMANDS)


def test_exit_codes_of_processes() -> None:
    """The README's line and the table of docs/operating.md have those of both processes."""
    line = next(line for line in README.splitlines() if line.startswith("Exit codes:"))
    documented = {int(code) for code in re.findall(r"(?:: |, )(\d+) [a-z]", line)}
    assert documented == {0} | codes(service.__main__) | codes(consumers.__main__) | codes(early)
    assert {int(row[0]) for row in table(OPERATING, "code")} == documented


def test_exit_codes_of_commands() -> None:
    """docs/operating.md has those of commands, as their `--help` does."""
    documented = {int(row[0]) for row in table(OPERATING, "exit code")}
    assert documented == {0, 1} | codes(frame) | codes(early)
    assert documented == {int(code) for code in re.findall(r"^  (\d+) ", frame._EXIT_CODES, re.MULTILINE)}


def test_all_exit_codes_are_promised() -> None:
    """docs/stability.md has all exit codes of all programs: its table of codes also has the errors of the API."""
    promised = {int(code) for row in table(STABILITY, "code") for code in quoted(row[0]) if code.isdecimal()}
    assert promised == {0, 1} | codes(service.__main__) | codes(consumers.__main__) | codes(frame) | codes(early)


def test_reasons_of_dead_letters() -> None:
    """The three tables have each reason once."""
    for text in (OPERATING, STABILITY, PRODUCERS):
        documented = [reason for row in table(text, "reason") for reason in quoted(row[0])]
        assert sorted(documented) == sorted(get_args(Reason))


def test_errors_of_the_api() -> None:
    """docs/stability.md has each error's code and status; no document names another code."""
    rows = [row for row in table(STABILITY, "code") if "DLI" in row[0]]
    assert {(quoted(row[0])[0], int(row[1])) for row in rows} == {(kind.code, kind.status) for kind in CATALOGUE}
    assert set(re.findall(r"DLI\.\d{4}", everything())) == {kind.code for kind in CATALOGUE}


def test_headers() -> None:
    """docs/stability.md promises each header of the API and of dead letters."""
    promised = {name for row in table(STABILITY, "header") for name in quoted(row[0])}
    letters = {value for name, value in vars(letter).items() if name.endswith("_HEADER")}
    api = {TOKEN, X_LANGUAGE, REQUEST_ID, statistics.AS_OF, statistics.HORIZON, statistics.GAPS}
    standard = {
        ACCEPT_LANGUAGE,
        TRACEPARENT,
        "ETag",
        "If-None-Match",
        "Last-Event-ID",
        "Retry-After",
        "WWW-Authenticate",
    }
    assert promised == api | standard | letters | {"replayed-dead-letter"}
    assert set(re.findall(r"\bX-[A-Z][A-Za-z]*(?:-[A-Z][A-Za-z]*)*\b", everything())) <= api | {"X-Accel-Buffering"}
