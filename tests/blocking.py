"""Calls of the service or the consumers that would block their event loop fail the test, but for those named here."""

from collections.abc import Iterator
from contextlib import contextmanager

from blockbuster import blockbuster_ctx

ALLOWED = [
    # A line of the log leaves at once: it may be the last.
    ("logging/__init__.py", "emit"),
    # Lua, some KB: read once, before a consumer has partitions.
    ("service/store/redis/script.py", "__init__"),
    # The command line, which a command reads before its loop runs; tests give it from within theirs.
    ("consumers/commands/frame.py", "create_parser"),
    # Settings, which a program reads before its loop runs; tests make some within theirs.
    ("service/runtime/setting_values.py", "_file"),
    # A client of a test's own, whose connections look for the library's version. Those of the service do not.
    ("redis/utils.py", "get_lib_version"),
]
"""Who may block, and why: a file's end and a function, whatever it calls."""


@contextmanager
def no_blocking_calls(*packages: str) -> Iterator[None]:
    """Watches calls with a frame of these packages on the stack, else of `service` or `consumers`.

    What tests themselves do may block.
    """
    with blockbuster_ctx(list(packages) or ["service", "consumers"]) as watch:
        for call in watch.functions.values():
            for file, function in ALLOWED:
                call.can_block_in(file, function)
        yield
