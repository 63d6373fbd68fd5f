"""Implements `check`: validates events in a file, one a line, by the decoder that consumers use."""

import sys
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from consumers.commands.terminal import Terminal
from service.events.cloudevents import open_envelope
from service.events.decoding import MAX_VALUE_BYTES, InvalidRecordError, check_text, decode, too_large
from service.events.json_members import NotJsonError, split_members
from service.runtime import log

SUMMARY = "validate events in a file, without any server"
DESCRIPTION = """\
Reads events, one a line (JSON Lines), and prints LINE: REASON: DETAIL for each that consumers would refuse: reason and
detail are those of its dead letter. With --json that is one JSON object a line. A summary goes to standard error.

It needs no server, and no settings. A line that has a specversion is taken for a CloudEvent (structured mode). Blank
lines are skipped, and so is a byte order mark at the beginning.

example:
  python -m consumers check events.jsonl
"""
FOUND = "some lines are no events"

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_PIECE_BYTES = MAX_VALUE_BYTES + 3  # a line of the largest value, its end, and one byte that says that it is no longer


class FileError(Exception):
    """Says that a file cannot be read; the text names the file and the reason."""


def add_arguments(parser: ArgumentParser) -> None:
    """Adds the command's own arguments."""
    parser.add_argument("file", metavar="FILE", help="the events; - for standard input")


def run(arguments: Namespace, terminal: Terminal) -> int:
    """Validates the lines of a file, and shows what is wrong as it is read; returns 0 or 1.

    It reads no further once nobody reads what it shows. Raises FileError, OutputError.
    """
    lines: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    with _open(arguments.file) as stream:
        for number, (line, size_bytes) in enumerate(_read_lines(arguments.file, stream), 1):
            if not line.strip() and size_bytes == len(line):
                lines["blank"] += 1
                continue
            lines["all"] += 1
            try:
                _judge(line, size_bytes)
            except InvalidRecordError as error:
                reasons[error.reason] += 1
                document = {"line": number, "reason": error.reason, "detail": error.detail}
                if not terminal.line(document, f"{number}: {error.reason}: {error.detail}"):
                    return 1
    log.say(_summary(lines["all"], lines["blank"], reasons))
    return 1 if reasons else 0


@contextmanager
def _open(name: str) -> Iterator[BinaryIO]:
    if name == "-":
        if sys.stdin is None:
            raise FileError("standard input is closed")
        yield sys.stdin.buffer
        return
    try:
        stream = open(name, "rb")  # noqa: SIM115 - closed below; an error of the block is not one of opening
    except (OSError, ValueError) as error:  # ValueError: the name has a null character
        raise FileError(f"{name}: {getattr(error, 'strerror', error)}") from None
    with stream:
        yield stream


def _read_lines(name: str, stream: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Yields each line without its end (LF or CRLF), and its size in bytes; the rest of a too large line is left out.

    Raises FileError.
    """
    is_first = True
    while line := _read(name, stream):
        size_bytes, end = len(line), line[-2:]
        piece = line
        while not piece.endswith(b"\n") and (piece := _read(name, stream)):
            size_bytes += len(piece)
            end = (end + piece)[-2:]
        line_end = 2 if end == b"\r\n" else end.endswith(b"\n")
        size_bytes -= line_end
        line = line[:size_bytes]
        if is_first and line.startswith(_BYTE_ORDER_MARK):
            line, size_bytes = line.removeprefix(_BYTE_ORDER_MARK), size_bytes - len(_BYTE_ORDER_MARK)
        is_first = False
        yield line, size_bytes


def _read(name: str, stream: BinaryIO) -> bytes:
    try:
        return stream.readline(_PIECE_BYTES)
    except OSError as error:
        raise FileError(f"{name}: {error.strerror}") from None


def _judge(line: bytes, size_bytes: int) -> None:
    """Decodes a line as the value of a record without a key. Raises InvalidRecordError."""
    if size_bytes > MAX_VALUE_BYTES:
        raise too_large(size_bytes)
    if b'"specversion"' in line and _is_envelope(line):
        decode(None, *open_envelope(line))
    else:
        decode(None, line)


def _is_envelope(line: bytes) -> bool:
    check_text(line)
    try:
        return "specversion" in (split_members(line) or {})
    except NotJsonError:
        return False


def _summary(lines: int, blank: int, reasons: Counter[str]) -> str:
    bad = reasons.total()
    by_reason = ", ".join(f"{number} {reason}" for reason, number in sorted(reasons.items()))
    return (
        f"{lines} events: {lines - bad} good, {bad} bad"
        + (f" ({by_reason})" if by_reason else "")
        + (f"; {blank} blank lines" if blank else "")
    )
