"""The commands of docs/operating.md, and what the page says that they print.

A fenced block's info string says where its commands are run: `sh run` here, line by line, on a running stack
(`exit=1`: that is their exit status), `sh elsewhere=tests/...` in another test. A block `text output` below is what
the last command prints.
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "operating.md"
_FENCE = re.compile(r"^```(\w*) ?([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"^    (.*)", re.MULTILINE)
_INLINE = re.compile(r"(?<!`)`((?:\.venv/bin/)?python -m [^`\n]+|(?:docker|redis-cli|kubectl|helm|systemctl) [^`\n]+)`")
# What begins a line that somebody is meant to type.
_PROGRAM = re.compile(
    r"\s*(?:\$ |sudo |(?:\.venv/bin/)?(?:python3?|pip|uv|make|curl|docker|podman|helm|kubectl|kind|systemctl|journalctl"
    r"|systemd-analyze|redis-cli|valkey-cli|kafka-[\w-]+|promtool|amtool"
    r"|gene-statistics-\w+|apt-get|git|rsync|tar|cp) )"
)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, the words behind it, its text, and the block `text output` that follows."""

    language: str
    words: dict[str, str]
    text: str
    output: str

    @property
    def commands(self) -> list[str]:
        """Its lines without comments; what ends in a backslash or a pipe is joined to the next line."""
        lines = re.sub(r"(?:\\|(\|))\n\s*", r"\1 ", self.text).splitlines()
        return [re.sub(r"\s+# .*", "", line) for line in lines if line.strip() and not line.startswith("#")]

    @property
    def exit_status(self) -> int:
        """What its commands end with."""
        return int(self.words.get("exit", "0"))


def blocks(text: str) -> list[Block]:
    """All fenced blocks, in the page's order."""
    found = [(match[1], _words(match[2]), match[3]) for match in _FENCE.finditer(text)]
    following = [*found[1:], ("", {}, "")]
    return [
        Block(language, words, body, after[2] if "output" in after[1] else "")
        for (language, words, body), after in zip(found, following, strict=True)
    ]


def unmarked(text: str) -> Iterator[str]:
    """Yields the commands in code blocks of which nothing says where they are run."""
    for block in blocks(text):
        is_marked = block.language == "sh" and {"run", "elsewhere"} & block.words.keys()
        if not is_marked:
            yield from (line for line in block.text.splitlines() if block.language == "sh" or _PROGRAM.match(line))
    yield from (line for line in _INDENTED.findall(_FENCE.sub("", text)) if _PROGRAM.match(line))


def inline(text: str) -> list[str]:
    """The commands in the page's sentences and tables."""
    return list(dict.fromkeys(_INLINE.findall(_FENCE.sub("", text))))


def shape(line: str) -> str:
    """A line of output without what differs from run to run: numbers, and how columns are filled up."""
    return re.sub(r"\s+", " ", re.sub(r"\d+", "0", line)).strip()


def _words(info: str) -> dict[str, str]:
    pairs = (word.partition("=") for word in shlex.split(info))
    return {name: value for name, _, value in pairs}
