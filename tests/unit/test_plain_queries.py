"""The usual query is read by a pattern: it says what the query says that is decoded and split."""

from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from service.api.parameters import parse_interval, plain_interval, refuse_unknown

PIECES = ["start=", "end=", "&", "=", "?", "5", "12", "007", "+", "%35", "start", "9" * 16, "9" * 33, ";", "٣", "x="]


@given(st.lists(st.sampled_from(PIECES), max_size=7).map("".join))
def test_both_readings_agree(query: str) -> None:
    """Whatever the pattern reads, the parser reads too; it need not read all that the parser does."""
    plain = plain_interval(query)
    if plain is not None:
        decoded = URL.build(path="/", query_string=query, encoded=True).query
        refuse_unknown(decoded, {"start", "end"})
        assert parse_interval(decoded) == plain


def test_the_usual_queries_are_read() -> None:
    """Both bounds, one, or none."""
    read = [plain_interval(query) for query in ("start=5&end=7", "start=5", "end=7", "")]
    assert read == [(5, 7), (5, None), (None, 7), (None, None)]
    assert [plain_interval(query) for query in ("start=7&end=5", "end=9999999999999999", "start=5end=7")] == [None] * 3
