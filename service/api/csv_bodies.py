"""Makes CSV of what is answered in JSON (RFC 4180), piece by piece. Pure, no I/O."""

import csv
import io
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from operator import itemgetter
from typing import Literal
from unicodedata import normalize

import msgspec

from service.api.points import Columns
from service.statistics import TimeSeriesPoint, UserStatistics

CSV = "text/csv"
_PIECE_ROWS = 1_000
# What spreadsheets take a text for a formula by, once it has the form that NFKD gives it: full-width letters count, and
# neither what is not seen before them (spaces, and what Unicode says to ignore) nor an accent on them, with which NFKC
# would make another letter of a sign, hides them. The apostrophe is here so that one in front can be taken off again.
_UNSEEN = (
    "\\s\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\ufe00-\ufe0f"
    "\ufeff\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_is_formula = re.compile(f"[{_UNSEEN}]*[=+\\-@\\t\\r\u2212']").match


_user_values = itemgetter(*UserStatistics.model_fields)
_totals = itemgetter(*(f"total_{name}" for name in UserStatistics.model_fields if name != "user_name"))


class _Users(msgspec.Struct, gc=False):
    """What of a body is read first; users are read piece by piece."""

    users: list[msgspec.Raw] | None = None


_decode = msgspec.json.Decoder().decode
_decode_users = msgspec.json.Decoder(_Users).decode


def statistics_rows(body: bytes, own_name: str) -> Iterator[bytes]:
    """Yields a CSV of statistics in pieces: a row for each user of a body, else one of its totals with this name.

    Names are always in quotes, as a spreadsheet may divide rows at other signs than commas too.
    """
    users = _decode_users(body).users
    if users is None:
        rows: Iterable[tuple[object, ...]] = [(harmless(own_name), *_totals(_decode(body)))]
    else:
        rows = map(_row, users)
    return _pieces(UserStatistics.model_fields, rows, csv.QUOTE_NONNUMERIC)


def time_series_rows(columns: Columns) -> Iterator[bytes]:
    """Yields a CSV of a time series in pieces: a row for each point."""
    words = map(("false", "true").__getitem__, columns.are_partial)
    rows = zip(columns.starts_ms, columns.ends_ms, words, *columns.counts, columns.size_bytes, strict=True)
    return _pieces(TimeSeriesPoint.model_fields, rows, csv.QUOTE_MINIMAL)


def harmless(name: str) -> str:
    """Returns a name that no spreadsheet takes for a formula: with an apostrophe before it if one might.

    A name that begins with an apostrophe gets another, so the name is what remains without the first.
    """
    return f"'{name}" if _is_formula(normalize("NFKD", name)) else name


def _row(user: msgspec.Raw) -> tuple[object, ...]:
    name, *counts = _user_values(_decode(user))
    return harmless(name), *counts


def _pieces(names: Iterable[str], rows: Iterable[tuple[object, ...]], quoting: Literal[0, 2]) -> Iterator[bytes]:
    head = ",".join(names) + "\r\n"
    left = iter(rows)
    while (some := list(islice(left, _PIECE_ROWS))) or head:
        text = io.StringIO(newline="")
        text.write(head)
        csv.writer(text, quoting=quoting).writerows(some)
        yield text.getvalue().encode()
        head = ""
