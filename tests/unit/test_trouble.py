"""A trouble that comes again and again."""

from consumers.trouble import Trouble


def test_a_trouble_is_there_between_its_returns_and_told_once_a_minute() -> None:
    """Another one is told at once; what has not come back for a while is over."""
    now = 0.0
    trouble = Trouble(lambda: now)
    assert trouble.text() is None
    assert trouble.note("a")
    told = []
    for now in range(5, 121, 5):
        assert trouble.text() == "a"
        if trouble.note("a"):
            told.append(now)
    assert told == [60, 120]
    assert trouble.note("b")
    assert trouble.text() == "b"
    now += 5
    assert not trouble.note("a")  # two that take turns are told once a minute each
    now += 15
    assert trouble.text() is None


def test_a_trouble_that_ended_is_news_again() -> None:
    """Its end is told once."""
    trouble = Trouble(lambda: 0.0)
    assert not trouble.end()
    assert trouble.note("a")
    assert trouble.end()
    assert trouble.text() is None
    assert not trouble.end()
    assert trouble.note("a")
