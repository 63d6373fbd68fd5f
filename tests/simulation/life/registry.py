"""Knows the faults by name."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from random import Random

from tests.simulation.life.world import World

Fault = Callable[[World, Random], AbstractAsyncContextManager[None]]
FAULTS: dict[str, Fault] = {}


def fault(broken: Callable[[World, Random], AsyncIterator[None]]) -> Fault:
    """Registers a fault under its function's name: it begins before the `yield`, and is over after it."""
    managed = asynccontextmanager(broken)
    FAULTS[broken.__name__] = managed
    return managed
