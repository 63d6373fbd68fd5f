"""Turns of projects: one at a time, no project before its turn, and none lost with a question that is cancelled."""

import asyncio

import pytest

from service.store.read.project_turns import ProjectTurns


class Asking:
    """Questions that wait for their turns, and the order in which they had them."""

    def __init__(self) -> None:
        self.turns = ProjectTurns()
        self.had: list[str] = []
        self.in_work = 0

    async def ask(self, project_id: str) -> None:
        """Takes a turn, and goes on twice before it is over."""
        async with self.turns.of(project_id):
            self.in_work += 1
            assert self.in_work == 1
            self.had.append(project_id)
            await asyncio.sleep(0)
            self.in_work -= 1


async def test_projects_take_turns() -> None:
    """Of many questions for one project only the one in work is before that for another, which came last."""
    asking = Asking()
    await asyncio.gather(*map(asking.ask, ["a", "a", "a", "a", "b", "b", "c"]))
    assert asking.had == ["a", "a", "b", "c", "a", "b", "a"]


@pytest.mark.parametrize("has_turn", [False, True])
async def test_cancelled_question_loses_no_turn(has_turn: bool) -> None:
    """Whether it waits, or has just been given its turn: the next one has it."""
    asking = Asking()
    async with asking.turns.of("a"):
        waiting = [asyncio.create_task(asking.ask(each)) for each in ("b", "c", "b")]
        await asyncio.sleep(0)
        if not has_turn:
            waiting[0].cancel()
    waiting[0].cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert waiting[0].cancelled()
    assert asking.had == ["c", "b"]
    await asking.ask("d")
