"""Names in CSV: none is taken for a formula, and each can be had back."""
# ruff: noqa: RUF001 - letters that look like those of formulas

import csv
import io
from unicodedata import normalize

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api.csv_bodies import harmless, statistics_rows

NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=128)


@pytest.mark.parametrize(
    "name",
    [
        *("=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\r=1", "-", "=", "'a", " =1", " \u200b =HYPERLINK()"),
        *("＝1", "＋1", "－1", "＠x", "−1", "﹢1", "﹣1", "﹦1", "﹫x", "⁺1"),
        *("\N{NO-BREAK SPACE}=1", "\u3000=1", "\u2028=1", "\u200b=1", "\ufeff=1", "\u2060@x", "\u202e+1"),
        *(
            "\u180e=1",
            "\u034f=1",
            "\u061c=1",
            "\u3164=1",
            "\uffa0=1",
            "\u2800=1",
            "\ufe0f=1",
            "\U000e0020=1",
            " \u206f@x",
        ),
        *("=\u0338HYPERLINK()", "\u2260x", "+\u0301"),  # an accent on a sign leaves the sign there
    ],
)
def test_formulas_are_made_harmless(name: str) -> None:
    """What a spreadsheet might calculate has an apostrophe in front, which makes it a text."""
    assert harmless(name) == f"'{name}"


@pytest.mark.parametrize("name", ["test", "测试", "chen.wei", "a=b", "a-b", "a@b.example", "(x)", "", " a", "o'neill"])
def test_names_stay_as_they_are(name: str) -> None:
    """What is no formula is left alone."""
    assert harmless(name) == name


@given(NAMES)
def test_every_name_can_be_had_back(name: str) -> None:
    """Without the first apostrophe of those that begin with one all are what they were, and no two became one."""
    shown = harmless(name)
    assert shown.removeprefix("'") == name
    for form in (shown, normalize("NFKC", shown), normalize("NFKD", shown)):
        assert form.lstrip()[:1] not in set("=+-@")


@given(st.lists(NAMES | st.sampled_from(['a"b', "a,b", 'a";=1', "a;=cmd|x", '"', "a\u2028b"]), max_size=5))
def test_rows_are_read_as_they_were_written(names: list[str]) -> None:
    """A reader of RFC 4180 finds each name, whatever is in it, and every name is in quotes."""
    numbers = {
        f"{key}_num": 2**63 - 1 for key in ("launching", "running", "failed", "finished", "canceling", "cancelled")
    }
    totals = {f"total_{key}": value for key, value in {**numbers, "input_size": 5}.items()}
    users = [{"user_name": name, **numbers, "input_size": 5} for name in names]
    body = msgspec.json.encode({"users": users, "total_user_num": len(names), **totals})
    text = b"".join(statistics_rows(body, "")).decode()
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert [row[0].removeprefix("'") for row in rows[1:]] == names
    assert all(row[1:] == [*[str(2**63 - 1)] * 6, "5"] for row in rows[1:])
    assert text.count('"') == sum(name.count('"') * 2 + 2 for name in names)
