"""`check`: the verdict of the decoder about lines of a file, without servers and settings."""

import asyncio
import io
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from consumers.commands import check
from consumers.commands.frame import main
from service.events.decoding import MAX_VALUE_BYTES, InvalidRecordError, decode
from tests.commands.support import Result, run_process, start
from tests.unit.test_cloudevents import envelope
from tests.unit.test_decoding import FIELDS, value_of, without

Capture = pytest.CaptureFixture[str]
LARGEST = value_of() + b" " * (MAX_VALUE_BYTES - len(value_of()))
BAD = [without("status"), value_of(input_size=-1), b"{", b'"\xff"', b"null", LARGEST + b" ", b'{"specversion":']


def checked(path: Path, capsys: Capture, *options: str) -> Result:
    """The command in this process."""
    code = main(["check", str(path), *options])
    captured = capsys.readouterr()
    return Result(code, captured.out, captured.err)


def check_bytes(content: bytes, tmp_path: Path, capsys: Capture, *options: str) -> Result:
    path = tmp_path / "events.jsonl"
    path.write_bytes(content)
    return checked(path, capsys, *options)


def test_each_bad_line_has_the_words_of_its_dead_letter(tmp_path: Path, capsys: Capture) -> None:
    """With its number, in one line; good ones are not shown."""
    lines = [value_of(), *BAD, LARGEST]
    expected = []
    for number, line in enumerate(lines, 1):
        try:
            decode(None, line)
        except InvalidRecordError as error:
            expected.append((number, error.reason, error.detail))
    assert [number for number, _, _ in expected] == [2, 3, 4, 5, 6, 7, 8]
    content = b"\n".join(lines)
    result = check_bytes(content, tmp_path, capsys)
    assert result.code == 1
    assert result.out.splitlines() == [f"{number}: {reason}: {detail}" for number, reason, detail in expected]
    reasons = "1 missing_field, 2 not_json, 1 not_utf8, 1 out_of_bounds, 1 too_large, 1 wrong_type"
    assert result.err == f"9 events: 2 good, 7 bad ({reasons})\n"
    result = check_bytes(content, tmp_path, capsys, "--json")
    assert (result.code, [tuple(json.loads(line).values()) for line in result.out.splitlines()]) == (1, expected)
    assert list(json.loads(result.out.splitlines()[0])) == ["line", "reason", "detail"]


@pytest.mark.parametrize(
    ("content", "events", "blank"),
    [
        (b"", 0, 0),
        (b"\n", 0, 1),
        (value_of(), 1, 0),
        (value_of() + b"\n", 1, 0),
        (value_of() + b"\r\n" + value_of() + b"\r\n", 2, 0),
        (b"\xef\xbb\xbf" + value_of() + b"\n \t\r\n\r\n" + value_of(), 2, 2),
        (LARGEST + b"\n" + LARGEST + b"\r\n" + LARGEST, 3, 0),
        (b"\xef\xbb\xbf" + LARGEST + b"\r\n", 1, 0),
        (envelope() + b"\n" + value_of(note="specversion", nested={"specversion": 1}), 2, 0),
        (envelope(data={name: each for name, each in FIELDS.items() if name != "event_id"}), 1, 0),
    ],
)
def test_all_is_well(content: bytes, events: int, blank: int, tmp_path: Path, capsys: Capture) -> None:
    """Whatever ends the lines; blank ones are skipped, and CloudEvents are taken by what is in them."""
    result = check_bytes(content, tmp_path, capsys)
    counted = f"{events} events: {events} good, 0 bad" + (f"; {blank} blank lines" if blank else "")
    assert (result.code, result.out, result.err) == (0, "", f"{counted}\n")


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (value_of() + b"\n\xef\xbb\xbf" + value_of(), "2: not_json: value: is not JSON at byte 0"),
        (
            envelope(id=""),
            "1: bad_cloud_event: id: is missing or empty; a CloudEvent has specversion, id, source, type",
        ),
        (envelope(data=value_of().decode()), "1: wrong_type: data: is no object; it must be one with the fields of an"),
        (LARGEST + b"  \r\n" + value_of(), "1: too_large: value: has 65538 bytes; at most 65536 are allowed"),
        (LARGEST + b"\r\r\n", "1: too_large: value: has 65537 bytes; at most 65536 are allowed"),
        (b"\xef\xbb\xbf" + LARGEST + b" ", "1: too_large: value: has 65537 bytes; at most 65536 are allowed"),
        (b" " * 70_000, "1: too_large: value: has 70000 bytes; at most 65536 are allowed"),
        (b'{"\xff":1,"specversion":1}', "1: not_utf8: value: is not UTF-8: 0xFF at byte 2 (invalid start byte)"),
    ],
)
def test_bad_line(content: bytes, line: str, tmp_path: Path, capsys: Capture) -> None:
    """Sizes are those of the line without its end."""
    result = check_bytes(content, tmp_path, capsys)
    assert result.code == 1
    assert result.out.startswith(line)
    assert result.out.count("\n") == 1


def test_endless_line_is_not_kept(capsys: Capture) -> None:
    """However long a line is, only as much of it as a value may have is in memory."""

    class Endless(io.RawIOBase):
        asked = 0

        def readline(self, size: int | None = -1, /) -> bytes:
            assert size is not None
            assert 0 < size <= MAX_VALUE_BYTES + 3
            self.asked += 1
            return b"x" * size if self.asked < 1_000 else b""

    lines: list[Any] = list(check._read_lines("-", Endless()))  # type: ignore[arg-type]
    [(line, size_bytes)] = lines
    assert size_bytes == 999 * (MAX_VALUE_BYTES + 3)
    assert len(line) == MAX_VALUE_BYTES + 3


@pytest.mark.parametrize("name", ["no-such-file", ".", "null\0character"])
def test_file_that_cannot_be_read(name: str, tmp_path: Path, capsys: Capture) -> None:
    """Exit code 2, and one line that names it."""
    result = checked(tmp_path / name, capsys)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(str(tmp_path))
    assert result.err.count("\n") == 1


def test_file_that_fails_on_the_way(capsys: Capture) -> None:
    """The same: it is no finding."""

    class Broken(io.RawIOBase):
        def readline(self, size: int | None = -1, /) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(check.FileError, match="f: Input/output error"):
        list(check._read_lines("f", Broken()))  # type: ignore[arg-type]


async def test_standard_input_without_valid_settings() -> None:
    """As a process, in a pipe: lines are judged as they come, and no setting is looked at."""
    environment = {"STATS_REDIS_URL": "mysql://x", "STATS_KAFKA_TOPIC": "", "LC_ALL": "C"}
    reading, writing = os.pipe()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "consumers", "check", "-", "--json"),
        env={**os.environ, **environment},
        stdin=reading,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    os.close(reading)
    assert process.stdout is not None
    os.write(writing, value_of(status="é") + b"\n")
    first = json.loads(await process.stdout.readline())
    assert (first["line"], first["reason"]) == (1, "out_of_bounds")
    process.send_signal(signal.SIGINT)
    _, err = await process.communicate()
    os.close(writing)
    assert (process.returncode, err) == (130, b"interrupted\n")


async def test_reader_that_has_seen_enough(tmp_path: Path) -> None:
    """Whoever reads may close the pipe: no traceback, no summary, and the exit code of what it found."""
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"{}\n" * 3)
    reading, writing = os.pipe()
    os.close(reading)
    process = await start({}, "check", str(path), stdout=writing)
    os.close(writing)
    _, err = await process.communicate()
    assert (process.returncode, err) == (1, b"")


async def test_help_says_nothing_of_settings() -> None:
    """It needs none."""
    assert "environment variables" not in (await run_process({}, "check", "--help")).out
    assert "environment variables" in (await run_process({}, "verify", "--help")).out
