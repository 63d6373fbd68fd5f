"""Runs what takes a store from one layout version to another, for the commands `upgrade` and `downgrade`."""

import time
from collections.abc import Awaitable, Callable

from consumers.commands.terminal import Terminal
from consumers.store_client import store_client
from consumers.upkeep.pace import Pace
from service.runtime.settings import ConsumerSettings
from service.store.layout.keys import STRIPES
from service.store.layouts import Converted, Layouts

_REDIS_SHARE = 0.5  # the most of Redis' time that a conversion takes

Conversion = Callable[[Layouts, Callable[[int], None]], Awaitable[Converted]]


async def convert(settings: ConsumerSettings, terminal: Terminal, conversion: Conversion, version: int) -> int:
    """Converts the store and shows the result; returns 0, or 1 if some stripes could not be done.

    Raises StoreUnavailableError, LayoutError.
    """
    pace = Pace(lambda: _REDIS_SHARE, time.monotonic)
    async with store_client(settings) as client:
        with terminal.progress("stripes", STRIPES) as advance:
            converted = await conversion(Layouts(client, pace.pause), advance)
    problems = [{"stripe": stripe, "what": what} for stripe, what in converted.problems.items()]
    document = {
        "layout_version": version,
        "changed_stripes": converted.changed,
        "unwritten_stripes": converted.unwritten,
        "problems": problems,
    }
    terminal.result(
        document,
        [
            *(f"stripe {stripe} is not done: {what}" for stripe, what in converted.problems.items()),
            f"layout version {version}: {converted.changed} stripes changed, {len(problems)} not done,"
            f" {converted.unwritten} never written",
        ],
    )
    return 1 if problems else 0
