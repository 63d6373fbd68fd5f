"""What a reader remembers: each cache counts its bytes honestly, and keeps within its share of the setting."""

import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from service.store.layout.heads import Live
from service.store.layout.projects import pack_shape, parse_shape, user_key
from service.store.layout.tree import Shape
from service.store.read.answer_cache import AnswerCache, Question, Remembered, Stamp
from service.store.read.bounded import Bounded
from service.store.read.cache_bytes import CacheBytes
from service.store.read.known import Known, KnownProjects, KnownShape
from service.store.read.learning import ID_BYTES
from service.store.read.names import Names
from service.store.read.sums import Sums


class Taken:
    """How many bytes of memory are taken since the beginning."""

    def __init__(self) -> None:
        self._before, _ = tracemalloc.get_traced_memory()

    @property
    def size_bytes(self) -> int:
        """The bytes that are taken now."""
        return tracemalloc.get_traced_memory()[0] - self._before


@contextmanager
def traced() -> Iterator[Taken]:
    """Counts the memory that is taken in its block."""
    tracemalloc.start()
    try:
        yield Taken()
    finally:
        tracemalloc.stop()


def text(number: int) -> str:
    """A text of its own, as long as an id."""
    return f"{number:032x}"


def users(count: int, first: int = 0, name: str = "user") -> dict[bytes, bytes]:
    """The users of a project, as `u` holds them."""
    ids = [text(number).encode() for number in range(first, first + count)]
    return {user_key(each.decode()): bytes([len(each)]) + each + f"{name}-{each[-8:]!r}".encode() for each in ids}


def shape(entries: int) -> KnownShape:
    """A shape with so many inner nodes."""
    packed = pack_shape((12, 1 << 28 | number) for number in range(entries))
    return KnownShape(bytes(8), Shape.of(parse_shape(packed)), packed)


def test_the_shares_are_the_whole() -> None:
    """No byte is promised twice."""
    assert sum(CacheBytes.of(16 * 1024 * 1024)) == 16 * 1024 * 1024


@pytest.mark.parametrize("body_bytes", [0, 300, 3_000, 100_000])
def test_answers(body_bytes: int) -> None:
    """Small answers are mostly what is around them."""
    most = 4_000_000
    with traced() as taken:
        cache = AnswerCache(most)
        for number in range(12_000 if body_bytes < 1_000 else 2_000):
            question = Question(text(number), 1 << 40 | number, 1 << 41 | number, None)
            stamp = Stamp(number.to_bytes(8, "little"), Live(1 << 20 | number, 1 << 40 | number))
            cache.put(question, Remembered(stamp, bytes(body_bytes), text(number)))
        assert most * 0.9 < cache.size_bytes <= most
        assert taken.size_bytes == pytest.approx(cache.size_bytes, rel=0.15)


def everybody(names: Names) -> Sums:
    """A job of each user."""
    jobs = np.ones((6, len(names)), np.int64)
    return Sums(jobs, jobs[0], [len(names)] * 7)


@pytest.mark.parametrize("name", ["user", "użytkownik", "\U0001f9ec" * 30])
def test_names(name: str) -> None:
    """Texts of other scripts take more; the copies in the order of answers count."""
    known, changed = users(3_000, name=name), users(100, 2_950, name="renamed")
    with traced() as taken:
        names = Names(b"", known)
        names.listed(everybody(names))
        assert taken.size_bytes == pytest.approx(names.size_bytes, rel=0.15)
        names.update(changed)
        names.listed(everybody(names))
        assert taken.size_bytes == pytest.approx(names.size_bytes, rel=0.15)
    assert names.size_bytes == Names(b"", known | changed).size_bytes


@pytest.mark.parametrize("entries", [10_000, 30_000])
def test_shapes(entries: int) -> None:
    """Also with what a series makes of them."""
    assert shape(1).levels.inner  # numpy loads a part of itself for it
    with traced() as taken:
        known = shape(entries)
        assert known.levels.inner
        assert taken.size_bytes == pytest.approx(known.size_bytes, rel=0.25)


def test_projects() -> None:
    """A project of which hardly anything is known has its bytes, too."""
    with traced() as taken:
        projects = KnownProjects(10**9)
        for number in range(3_000):
            projects.of(text(number))
        assert taken.size_bytes == pytest.approx(projects.size_bytes, rel=0.15)


def test_ids() -> None:
    """The ids of users who ask for themselves."""
    with traced() as taken:
        ids: Bounded[tuple[str, str], bytes] = Bounded(2_000_000)
        for number in range(5_000):
            ids.put((text(number), text(number)), number.to_bytes(8, "little"), ID_BYTES)
        assert 1_800_000 < ids.size_bytes <= 2_000_000
        assert taken.size_bytes == pytest.approx(ids.size_bytes, rel=0.15)


def test_projects_are_forgotten_for_others() -> None:
    """What is known of those asked for longest ago goes first; that of the very last stays, however large it is."""
    of_names, of_shape = Known(), Known()
    of_names.names.update(users(1_000))
    of_shape.shape = shape(1_000)
    projects = KnownProjects(3 * of_names.size_bytes + of_shape.size_bytes - 1)  # a byte less than they are to hold
    for project_id in "abc":
        projects.of(project_id).names.update(users(1_000))
        projects.weigh(project_id)
    first = projects.of("a")
    projects.of("d").shape = shape(1_000)
    projects.weigh("d")
    assert [len(projects.of(each).names) for each in "acb"] == [1_000, 1_000, 0]
    assert projects.of("a") is first
    projects.of("a").names.update(users(10_000))
    projects.weigh("a")
    assert len(projects.of("a").names) == 10_000
    assert projects.size_bytes == first.size_bytes > 4 * of_names.size_bytes
    assert projects.of("d").shape.packed == b""
    assert projects.size_bytes == Known().size_bytes


def test_a_project_that_was_forgotten_meanwhile_does_not_count() -> None:
    """A question that is under way goes on with what it has."""
    projects = KnownProjects(Known().size_bytes)
    old = projects.of("a")
    projects.of("b")
    old.names.update(users(10))
    projects.weigh("a")
    assert projects.size_bytes == Known().size_bytes
    assert not len(projects.of("a").names)
