"""The table of log lines in docs/operating.md: each line that our processes write from INFO on, and no other."""

import ast
import re
from collections.abc import Iterator

from tests.docs import PROJECT, documents, tables

_METHODS = {"info": 0, "warning": 0, "error": 0, "critical": 0, "log": 1}  # where the message is among the arguments
_OTHERS = {"_tell": (0,), "_stray": (0,), "Outage": (1, 2)}  # calls that log what they are given
_NOT_WRITTEN = {"STATS_"}  # lines about settings name the setting: a table of their own says which there are


def _texts(node: ast.expr) -> Iterator[str]:
    """Yields the texts that an expression may be."""
    for each in ast.walk(node):
        if isinstance(each, ast.Constant) and isinstance(each.value, str):
            yield each.value


def _written(tree: ast.Module) -> Iterator[str]:
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call):
            continue
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        on_log = isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) in {"_log", "self._log"}
        places = (_METHODS[name],) if on_log and name in _METHODS else _OTHERS.get(name, ())
        for place in places:
            for text in _texts(call.args[place]):
                yield re.sub(r"%[sdr].*", "...", text)


def messages() -> set[str]:
    """The messages that the code logs; `...` stands for what is put in, and what follows."""
    paths = [path for room in ("service", "consumers") for path in (PROJECT / room).rglob("*.py")]
    found = {text for path in paths for text in _written(ast.parse(path.read_text(encoding="utf-8")))}
    return {each for each in found if not each.startswith(tuple(_NOT_WRITTEN))}


def rows() -> list[str]:
    """The lines in the table, without the `...` at their ends."""
    [lines] = [each for each in tables(documents()["docs/operating.md"]) if each[0] == ["line", "meaning"]]
    return [row[0].strip("`").removesuffix("...").strip() for row in lines[1:]]


def test_each_line_has_a_row() -> None:
    """The row has the line, or how it begins."""
    begins = tuple(rows())
    assert not sorted(each for each in messages() if not each.startswith(begins))


def test_each_row_is_of_a_line() -> None:
    """No row is left of a line that is gone, and none is there twice."""
    said = messages()
    assert not [row for row in rows() if not any(each.startswith(row) for each in said)]
    assert len(set(rows())) == len(rows())
