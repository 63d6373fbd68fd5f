"""A terminal that nobody looks at."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from consumers.commands.terminal import Advance, Terminal


class QuietTerminal(Terminal):
    """Keeps the document that a command has to say."""

    def __init__(self) -> None:
        super().__init__(as_json=True)
        self.document: Mapping[str, Any] = {}

    def result(self, document: Mapping[str, object], lines: Iterable[str]) -> None:
        """Keeps the document."""
        self.document = document

    @contextmanager
    def progress(self, what: str, total: int) -> Iterator[Advance]:
        """Shows nothing."""
        yield lambda _: None
