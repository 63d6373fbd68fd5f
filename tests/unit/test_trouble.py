"""A trouble that comes again and again."""

import logging

import pytest

from service.runtime.trouble import Outage, Trouble


def test_a_trouble_is_there_between_its_returns_and_told_once_a_minute() -> None:
    """Another one is told at once; what has not come back for a while is over."""
    now = 0.0
    trouble = Trouble(lambda: now)
    assert trouble.text() is None
    assert trouble.note("a") == {}
    told = []
    for now in range(5, 121, 5):
        assert trouble.text() == "a"
        fields = trouble.note("a")
        if fields is not None:
            told.append((now, fields["untold"]))
    assert told == [(60, 11), (120, 11)]
    assert trouble.note("b") == {}
    assert trouble.text() == "b"
    now += 5
    assert trouble.note("a") is None  # two that take turns are told once a minute each
    now += 15
    assert trouble.text() is None


def test_a_trouble_that_ended_is_news_again() -> None:
    """Its end is told once, with how long it was there, and how much of it was not told."""
    now = 0.0
    trouble = Trouble(lambda: now)
    assert trouble.end() is None
    assert trouble.note("a") == {}
    now = 2.5
    assert trouble.note("a") is None
    assert trouble.end() == {"lasted_seconds": 2.5, "untold": 1}
    assert trouble.text() is None
    assert trouble.end() is None
    now = 3.0
    assert trouble.note("a") == {}


def test_an_end_may_wait() -> None:
    """What was noted a moment ago is not over yet, whatever succeeds meanwhile."""
    now = 0.0
    trouble = Trouble(lambda: now)
    trouble.note("a")
    now = 4.0
    assert trouble.end(patience_seconds=5) is None
    now = 5.0
    assert trouble.end(patience_seconds=5) == {"lasted_seconds": 5.0}


@pytest.mark.parametrize("ends", [False, True], ids=["goes on", "comes and goes"])
def test_whoever_makes_up_troubles_gets_few_lines(ends: bool) -> None:
    """A text for each attempt, ten a second: so many lines in ten minutes, and all attempts are counted."""
    now, lines, untold = 0.0, 0, 0
    trouble = Trouble(lambda: now)
    for number in range(6_000):
        now = number / 10
        told = [trouble.note(f"attempt {number}"), trouble.end() if ends else None]
        for fields in told:
            if fields is not None:
                lines += 1
                untold += int(str(fields.get("untold", 0)))
    noted_lines = lines // (2 if ends else 1)
    assert noted_lines <= 200
    assert 6_000 - 600 <= untold + noted_lines <= 6_000


def test_an_outage_is_told_at_its_beginning_and_at_its_end(caplog: pytest.LogCaptureFixture) -> None:
    """A thousand attempts in ten minutes are a line a minute, and one that tells the end."""
    now = 0.0
    outage = Outage(logging.getLogger("test"), "cannot be asked", "answers again", lambda: now)
    with caplog.at_level(logging.INFO, "test"):
        for number in range(1_000):
            now = number * 0.6
            outage.note("refused")
            assert outage.reason == "refused"
        outage.note(None)
        outage.note(None)
    assert outage.reason is None
    messages = [record.message for record in caplog.records]
    assert messages == ["cannot be asked"] * 10 + ["answers again"]
    assert vars(caplog.records[-1])["lasted_seconds"] == 599.4
    assert sum(vars(record).get("untold", 0) for record in caplog.records) == 1_000 - 10
