"""The phases of ingest that are timed: a consumer adds up how long each took, a rebuild does not."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Literal

Phase = Literal["synchronize", "poll", "decode", "pack", "wait", "letters", "apply", "sift", "claim"]
"""The loop has the first five, one after the other: `wait` is for the write of the batch before. The write has the
others, while the loop polls and decodes the next batch."""

Timed = Callable[[Phase], AbstractContextManager[None]]
"""Times a block that belongs to a phase: one of many records, since timing each would cost more than its work."""


def untimed(_: Phase) -> AbstractContextManager[None]:
    """Times nothing."""
    return nullcontext()
