"""JSON that others may write, for Hypothesis: of any types, deep, with numbers too large and text that is none."""

import json
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.just(10**400),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(["\ud800", "RS256", "RSA", "EC", "P-256", "AQAB", "x" * 300, "2100-01-01T00:00:00Z", "-1T"]),
)
_FRAGMENTS = [b"[" * 3000 + b"]" * 3000, b'{"a":' * 3000, b"1e400", b"-1" + b"0" * 5000, b"\xff", b"NaN", b'"\\ud800"']
_HOLE = "a hole that a fragment fills"


def _values(names: Sequence[str]) -> st.SearchStrategy[Any]:
    keys = st.sampled_from(names) | st.text(max_size=5)
    return st.recursive(
        _SCALARS | st.just(_HOLE),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=6),
        max_leaves=12,
    )


def objects(names: Sequence[str], good: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects like a good one, of which some members are replaced, and others added."""
    changes = st.dictionaries(st.sampled_from(names), _values(names), max_size=3)
    return changes.map(lambda changed: {**good, **changed}) | st.dictionaries(st.text(max_size=5), _values(names))


@st.composite
def texts(draw: st.DrawFn, values: st.SearchStrategy[Any]) -> bytes:
    """The text of such values, with fragments in it that no encoder writes; sometimes cut, or bytes by chance."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=200))
    text = json.dumps(draw(values)).encode()
    text = text.replace(json.dumps(_HOLE).encode(), draw(st.sampled_from(_FRAGMENTS)))
    return text[: draw(st.integers(0, len(text)))] if draw(st.integers(0, 9)) == 0 else text
