"""What a stream sends next: pure, and by a clock of the test's own."""

from hypothesis import given
from hypothesis import strategies as st

from service.api.live.frames import State
from service.api.live.pace import Cursor, Pace
from service.store.contract import Answer

PACE = Pace()


def state(number: int, as_of_ms: int) -> State:
    """A state with that answer."""
    return State(Answer(b"{}", f"{number:x}", 0), as_of_ms)


STEPS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.sampled_from([0.0, 0.1, 0.24, 0.5, 9.9, 30.0])))


@given(STEPS)
def test_paces_hold_and_the_newest_is_sent(steps: list[tuple[int, int, float]]) -> None:
    """Whatever comes when: statistics four times a second, and no answer twice in a row, nor one that is old."""
    cursor, now, as_of_ms = Cursor(PACE, None), 0.0, 0
    statistics_at: list[float] = []
    sent_at, known = float("-inf"), ""
    for number, newer_ms, pause in steps:
        now, as_of_ms = now + pause, as_of_ms + newer_ms
        current = state(number, as_of_ms)
        event, wait = cursor.next(current, now)
        if event is None:
            assert wait > 0
            assert now - sent_at < PACE.silence
            assert known == current.id or now - statistics_at[-1] < PACE.look
            continue
        if event == current.statistics:
            assert known != current.id
            assert not statistics_at or now - statistics_at[-1] >= PACE.look
            statistics_at.append(now)
        else:
            assert (event, known) == (current.as_of, current.id)
            assert now - sent_at >= PACE.as_of
        sent_at, known = now, current.id


@given(STEPS)
def test_a_wait_is_not_too_long(steps: list[tuple[int, int, float]]) -> None:
    """After the wait that it says there is an event, if nothing else changes."""
    cursor, now, as_of_ms = Cursor(PACE, None), 0.0, 0
    for number, newer_ms, pause in steps:
        now, as_of_ms = now + pause, as_of_ms + newer_ms
        event, wait = cursor.next(state(number, as_of_ms), now)
        if event is None:
            now += wait + 1e-6
            assert cursor.next(state(number, as_of_ms), now)[0] is not None


def test_looks_are_few() -> None:
    """A process looks at most a thousand times a second, and has three quarters of the time for others."""
    assert PACE.between_looks(1, 0.0) == 0.25
    assert PACE.between_looks(2_000, 0.0) == 2.0
    assert PACE.between_looks(1, 0.5) == 1.5
