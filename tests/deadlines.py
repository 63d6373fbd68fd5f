"""An async test that takes too long is cancelled, so that it closes what it has opened, and fails alone.

The signal of pytest-timeout comes later, for a test that blocks the loop or does not end. It ends the loop's run in the
midst of whatever task is at work; the test would go on during those that come after it, in the servers that they share.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import wraps
from inspect import iscoroutinefunction

import pytest

_SHARE = 0.8  # of the time after which the signal comes

AsyncTest = Callable[..., Awaitable[None]]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Limits a test from now on, before its fixtures are set up."""
    seconds = _SHARE * _signal_seconds(item)
    if seconds > 0 and isinstance(item, pytest.Function) and iscoroutinefunction(item.obj):
        item.obj = ended_after(item.obj, seconds)


def ended_after(test: AsyncTest, seconds: float) -> AsyncTest:
    """Returns the test with a limit that counts from this call. It raises AssertionError when the time is over."""
    deadline = time.monotonic() + seconds

    @wraps(test)
    async def limited(*args: object, **kwargs: object) -> None:
        late = AssertionError(f"not through within {seconds:g} s")
        try:
            async with asyncio.timeout(deadline - time.monotonic()) as limit:
                await test(*args, **kwargs)
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise late from error
        if limit.expired():  # what it awaited has swallowed the cancellation, as wait_for may
            raise late

    return limited


def _signal_seconds(item: pytest.Item) -> float:
    marker = item.get_closest_marker("timeout")
    given = marker.args[0] if marker else item.config.getoption("timeout")
    return float(item.config.getini("timeout") if given is None else given)
