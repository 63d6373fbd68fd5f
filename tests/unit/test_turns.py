"""Turns: how many questions of a caller are in work, and who is next."""

import asyncio

import pytest

from service.api.turns import TurnPolicy, Turns
from service.store.errors import StoreUnavailableError

SMALL, LARGE = 10, 1_000
POLICY = TurnPolicy(most_in_work=3, most_large_in_work=1, large_bytes=100, most_remembered=2)


class Work:
    """Questions of callers; each stays in work until it is told its end."""

    def __init__(self) -> None:
        self.turns = Turns(POLICY)
        self.in_work: list[str] = []
        self.ends: dict[str, asyncio.Future[int | None]] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def ask(self, *names: str) -> list[str]:
        """Begins questions whose caller is the name's first letter; returns which are in work then."""
        for name in names:
            self.ends[name] = asyncio.get_running_loop().create_future()
            self.tasks[name] = asyncio.create_task(self._work(name))
        return await self.settled()

    async def _work(self, name: str) -> None:
        async with self.turns.of(name[0]) as turn:
            self.in_work.append(name)
            try:
                turn.answer_bytes = await self.ends[name]
            finally:
                self.in_work.remove(name)

    async def end(self, name: str, answer_bytes: int | None) -> list[str]:
        """Ends a question; returns which are in work then."""
        self.ends[name].set_result(answer_bytes)
        return await self.settled()

    async def settled(self) -> list[str]:
        """Lets all tasks go as far as they can."""
        for _ in range(5):
            await asyncio.sleep(0)
        return list(self.in_work)


async def test_a_caller_has_so_many_in_work_and_others_do_not_wait() -> None:
    """Questions above the number wait in order; those of another caller do not."""
    work = Work()
    assert await work.ask("a1", "a2", "a3", "a4", "a5", "b1") == ["a1", "a2", "a3", "b1"]
    assert await work.end("a2", SMALL) == ["a1", "a3", "b1", "a4"]
    assert await work.end("b1", SMALL) == ["a1", "a3", "a4"]
    for name in ("a1", "a3", "a4", "a5"):
        await work.end(name, SMALL)
    assert (work.in_work, work.turns._in_work, work.turns._lines) == ([], {}, {})


async def test_a_large_answer_makes_few_in_work_and_a_small_one_more() -> None:
    """After a large answer the caller has fewer in work, until an answer is small again; an error changes nothing."""
    work = Work()
    await work.ask("a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8")
    assert await work.end("a1", LARGE) == ["a2", "a3"]
    assert await work.end("a2", LARGE) == ["a3"]
    assert await work.end("a3", None) == ["a4"]
    assert await work.end("a4", SMALL) == ["a5", "a6", "a7"]


async def test_who_gives_up_in_line_is_passed_over() -> None:
    """A request that is cancelled while it waits, or as its turn comes, keeps nobody from theirs."""
    work = Work()
    await work.ask("a1", "a2", "a3", "a4", "a5", "a6")
    work.tasks["a4"].cancel()
    assert await work.end("a1", SMALL) == ["a2", "a3", "a5"]
    work.ends["a2"].set_result(SMALL)
    await asyncio.wait([work.tasks["a2"]])
    work.tasks["a6"].cancel()  # its turn has come, and it has not begun
    await work.settled()
    assert await work.ask("a7", "a8") == ["a3", "a5", "a7"]
    for name in ("a3", "a5", "a7", "a8"):
        await work.end(name, SMALL)
    assert (work.turns._in_work, work.turns._lines) == ({}, {})


async def test_memory_is_bounded() -> None:
    """Only the callers whose answers were large last are remembered."""
    work = Work()
    for name in ("a1", "b1", "c1"):
        await work.ask(name)
        await work.end(name, LARGE)
    assert await work.ask("a2", "a3", "a4", "b2", "b3", "c2", "c3") == ["a2", "a3", "a4", "b2", "c2"]
    for name in ("a2", "b2", "c2", "a3", "a4", "b3", "c3"):
        await work.end(name, SMALL)


async def test_whoever_waits_for_a_store_that_is_away_is_told_with_the_first() -> None:
    """A caller's line asks for one project. Who gave up is left alone, and the next question is tried."""
    work = Work()
    await work.ask("a1", "a2", "a3", "a4", "a5", "a6", "b1")
    work.tasks["a4"].cancel()
    work.ends["a1"].set_exception(StoreUnavailableError("no answer within 1 s"))
    await asyncio.wait([work.tasks["a1"]])
    work.tasks["a6"].cancel()  # as it is told
    assert await work.settled() == ["a2", "a3", "b1"]
    for name in ("a1", "a5"):
        with pytest.raises(StoreUnavailableError, match="no answer within 1 s"):
            await work.tasks[name]
    assert await work.ask("a7", "a8") == ["a2", "a3", "b1", "a7"]
    for name in ("a2", "a3", "a7", "a8", "b1"):
        await work.end(name, SMALL)
    assert (work.in_work, work.turns._in_work, work.turns._lines) == ([], {}, {})


async def test_whoever_waits_behind_another_error_goes_on() -> None:
    """A project that is damaged in one interval may have an answer in another."""
    work = Work()
    await work.ask("a1", "a2", "a3", "a4")
    work.ends["a1"].set_exception(StoreUnavailableError("is damaged", "damaged"))
    assert await work.settled() == ["a2", "a3", "a4"]
    for name in ("a2", "a3", "a4"):
        await work.end(name, SMALL)
    with pytest.raises(StoreUnavailableError):
        await work.tasks["a1"]
