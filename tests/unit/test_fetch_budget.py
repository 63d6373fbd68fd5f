"""When something may be fetched again: at once, after a moment, or rarely."""

from service.auth.fetch_budget import FetchBudget, FetchPolicy


def test_fetches_are_spaced_then_rare() -> None:
    """The first are a second apart; when the burst is used up, one each four seconds; rest fills it again."""
    budget = FetchBudget(FetchPolicy(spacing_seconds=1, burst=3, refill_seconds=4))
    now, waits = 1000.0, []
    for _ in range(6):
        wait_seconds = budget.wait_seconds(now)
        waits.append(wait_seconds)
        now += wait_seconds
        assert budget.wait_seconds(now) == 0
        budget.take(now)
    assert waits == [0, 1, 1, 2, 4, 4]
    now += 100
    assert budget.wait_seconds(now) == 0
    budget.take(now)
    assert budget.wait_seconds(now) == 1
