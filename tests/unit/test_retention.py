"""The horizon: the start of a UTC day, so many days ago."""

import pytest

from consumers.upkeep.sweeping import DAY_MS, find_horizon_ms

NOON_MS = 20_000 * DAY_MS + DAY_MS // 2


@pytest.mark.parametrize(
    ("now_ms", "days", "horizon_ms"),
    [
        (NOON_MS, None, 0),
        (NOON_MS, 1, 19_999 * DAY_MS),
        (NOON_MS, 30, 19_970 * DAY_MS),
        (20_000 * DAY_MS - 1, 1, 19_998 * DAY_MS),
        (20_000 * DAY_MS, 1, 19_999 * DAY_MS),
        (NOON_MS, 999_999_999, 0),
    ],
)
def test_horizon(now_ms: int, days: int | None, horizon_ms: int) -> None:
    """Days begin at midnight UTC; without retention, or before 1970, everything counts."""
    assert find_horizon_ms(now_ms, days) == horizon_ms
