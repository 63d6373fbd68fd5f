"""Answers remembered: by the write they stand for, and never more than so many bytes. No Redis."""

from service.store.layout.heads import Live
from service.store.read.answer_cache import AnswerCache, Question, Remembered, Stamp

QUESTIONS = [Question("project", 0, end_ms, None) for end_ms in range(10)]


def written(body: bytes) -> Remembered:
    """An answer as of the first write."""
    return Remembered(Stamp(b"write-1", Live()), body, "digest")


def test_answer_is_remembered_with_its_write() -> None:
    """What was put is given back; a later answer to the same question replaces it; others are unknown."""
    cache = AnswerCache(100_000)
    later = Remembered(Stamp(b"write-2", Live()), b"body-2", "digest-2")
    cache.put(QUESTIONS[0], written(b"body-1"))
    cache.put(QUESTIONS[0], later)
    assert cache.get(QUESTIONS[0]) == later
    assert cache.get(QUESTIONS[1]) is None


def test_sub_user_and_administrator_are_different_questions() -> None:
    """Who asks is part of the question."""
    cache = AnswerCache(100_000)
    cache.put(Question("project", 0, 1, None), written(b"everybody's"))
    assert cache.get(Question("project", 0, 1, "user")) is None


def test_what_was_asked_for_longest_ago_is_forgotten() -> None:
    """Beyond the limit the answers that nobody asked for go first."""
    cache = AnswerCache(20_000)
    for question in QUESTIONS[:8]:
        cache.put(question, written(b"x" * 1_500))
    cache.get(QUESTIONS[0])
    cache.put(QUESTIONS[8], written(b"x" * 1_500))
    assert [question for question in QUESTIONS if cache.get(question)] == [QUESTIONS[at] for at in (0, *range(2, 9))]


def test_replacing_an_answer_does_not_use_up_the_limit() -> None:
    """An answer that is replaced again and again counts once."""
    cache = AnswerCache(20_000)
    cache.put(QUESTIONS[1], written(b"x" * 1_500))
    for _ in range(100):
        cache.put(QUESTIONS[0], written(b"x" * 1_500))
    assert cache.get(QUESTIONS[1])


def test_answer_too_large_is_not_remembered() -> None:
    """One large answer must not push out all others, and the one it replaces is wrong by now."""
    cache = AnswerCache(20_000)
    cache.put(QUESTIONS[0], written(b"small"))
    cache.put(QUESTIONS[1], written(b"small"))
    cache.put(QUESTIONS[0], Remembered(Stamp(b"write-2", Live()), b"x" * 1_601, "digest"))
    assert cache.get(QUESTIONS[0]) is None
    assert cache.get(QUESTIONS[1])
