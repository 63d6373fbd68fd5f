"""Turns of the http benchmark: each ratio is of two turns that followed each other, and its spread is told."""

from bench.turns import Turn, ratios, rows_of
from bench.wrk import Load


def _turn(requests: int, cpu_us: float) -> Turn:
    return Turn(Load(requests, 2.0, 1.0, 3.0), cpu_us, waited_percent=5.0, redis_cpu_us=7.0)


_FLOOR = [_turn(1_000, 50.0), _turn(2_000, 60.0), _turn(4_000, 70.0)]
_OURS = [_turn(500, 100.0), _turn(500, 80.0), _turn(1_000, 140.0)]


def test_ratios_are_of_turns_that_followed_each_other() -> None:
    rates, cpu = ratios(_FLOOR, _OURS)
    assert rates == [0.5, 0.25, 0.25]
    assert cpu == [0.5, 0.75, 0.5]


def test_a_row_has_medians_and_the_spread_of_its_ratios() -> None:
    floor, ours = rows_of({"constant": _FLOOR, "repeated": _OURS})
    assert (floor["measured"], floor["rate_by_floor"]) == ("constant", "1 (1 to 1)")
    assert ours == {
        "measured": "repeated",
        "requests_per_second": 250,
        "p50_ms": 1.0,
        "p99_ms": 3.0,
        "waited_percent": 5.0,
        "server_cpu_us_per_request": 100.0,
        "redis_cpu_us_per_request": 7.0,
        "rate_by_floor": "0.25 (0.25 to 0.5)",
        "floor_cpu_by_cpu": "0.5 (0.5 to 0.75)",
    }
