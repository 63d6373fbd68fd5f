"""Headers with weights: whatever comes is read, or left out."""

from hypothesis import given
from hypothesis import strategies as st

from service.http.preferences import accepts_gzip, weights

TOKENS = st.text(st.sampled_from("abcxyzABC019-_*!#$%&'+.^`|~"), min_size=1, max_size=12)
WEIGHTS = st.integers(0, 1000)
SPACES = st.text(st.sampled_from(" \t"), max_size=3)


@st.composite
def items(draw: st.DrawFn) -> tuple[str, str, float]:
    """An item as it is written, its name, and its weight."""
    name, thousandths = draw(TOKENS), draw(st.none() | WEIGHTS)
    if thousandths is None:
        written, weight = name, 1.0
    else:
        weight = thousandths / 1000
        digits = draw(st.sampled_from([f"{weight:.3f}", f"{weight:g}"]))
        written = f"{name}{draw(SPACES)};{draw(SPACES)}{draw(st.sampled_from('qQ'))}={digits}"
    return f"{draw(SPACES)}{written}{draw(SPACES)}", name.lower(), weight


@given(st.lists(items(), max_size=20))
def test_what_is_well_formed_is_read(listed: list[tuple[str, str, float]]) -> None:
    """Each item has the weight that it was written with, in order; of two of one name the first one."""
    expected: dict[str, float] = {}
    for _, name, weight in listed:
        expected.setdefault(name, weight)
    found = weights(",".join(written for written, _, _ in listed))
    assert list(found.items()) == list(expected.items())


@given(st.text(), st.lists(items(), max_size=3), st.text())
def test_whatever_comes_is_read(before: str, listed: list[tuple[str, str, float]], after: str) -> None:
    """No header raises; weights are from 0 to 1; what stands between is read all the same."""
    found = weights(",".join([before, *(written for written, _, _ in listed), after]))
    assert all(0 <= weight <= 1 for weight in found.values())
    assert accepts_gzip(before) in {True, False}
    if before.count(",") < 40:
        assert {name for _, name, _ in listed} <= found.keys()


def test_thousands_of_items_are_not_read() -> None:
    """What follows the first 64 is left out."""
    assert list(weights(",".join(f"a{n}" for n in range(10_000)))) == [f"a{n}" for n in range(64)]


GZIP = {
    "gzip": True,
    "GZIP": True,
    "x-gzip": True,
    "deflate, gzip;q=1.0, *;q=0.5": True,
    "gzip;q=0.001": True,
    "*": True,
    "br,*;q=0.1": True,
    "identity;q=0.5, gzip;q=0.5": True,
    "identity;q=0, gzip": True,
    "gzip, deflate, br, zstd": True,
    "": False,
    "identity": False,
    "br, deflate": False,
    "gzip;q=0": False,
    "gzip;q=0.000": False,
    "gzip;q=0, *": False,
    "*;q=0": False,
    "gzip;q=0.5, identity": False,
    "gzipped": False,
    "not-gzip": False,
    "gzip;q=2": False,
    "gzip;q=-1": False,
    "gzip;q=": False,
    "gzip q=1": False,
}


def test_gzip_is_taken_where_it_is_accepted() -> None:
    """It is taken where it is named or covered by `*`, is not forbidden, and is not worse than the body as it is."""
    assert {header: accepts_gzip(header) for header in GZIP} == GZIP
