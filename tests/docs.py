"""The documents as tests see them: their text, tables, code blocks, headings and links."""

import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).parents[1]
_FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def documents() -> dict[str, str]:
    """Returns the text of each document by its path below the project, the changelog included."""
    paths = [*PROJECT.glob("*.md"), *PROJECT.glob("docs/*.md")]
    return {str(path.relative_to(PROJECT)): path.read_text(encoding="utf-8") for path in sorted(paths)}


def present() -> dict[str, str]:
    """Returns the documents that say what is so now: all but the changelog, which also names what is gone."""
    return {path: text for path, text in documents().items() if path != "CHANGELOG.md"}


def everything() -> str:
    """Returns the text of all documents that say what is so now."""
    return "\n".join(present().values())


def code_lines(text: str) -> Iterator[str]:
    """Yields the lines of code blocks, indented or fenced; those that end in a backslash are joined to the next."""
    fenced = "\n".join(match[2] for match in _FENCE.finditer(text) if match[1] != "mermaid")
    indented = "\n".join(line[4:] for line in _FENCE.sub("", text).splitlines() if line.startswith("    "))
    yield from re.sub(r"\\\n\s*", "", f"{fenced}\n{indented}").splitlines()


def prose(text: str) -> str:
    """Returns the text without its fenced code."""
    return _FENCE.sub("", text)


def tables(text: str) -> Iterator[list[list[str]]]:
    """Yields each table as rows of cells, the row of headings first."""
    for block in re.findall(r"(?:^\|.*\|\n)+", f"{text}\n", re.MULTILINE):
        rows = [[cell.strip() for cell in re.split(r" \|(?= )", line.strip("|"))] for line in block.splitlines()]
        yield [row for row in rows if not set("".join(row)) <= set("-:| ")]


def table(text: str, heading: str) -> list[list[str]]:
    """Returns the rows of the tables whose first heading is that, without the row of headings."""
    found = [rows[1:] for rows in tables(text) if rows[0][0] == heading]
    assert found, f"no table of {heading!r}"
    return [row for rows in found for row in rows]


def quoted(text: str) -> list[str]:
    """Returns what stands in backticks."""
    return re.findall(r"`([^`\n]+)`", text)


def anchors(text: str) -> set[str]:
    """Returns the anchors that a forge gives the headings: lower case, without punctuation, hyphens for spaces."""
    found: dict[str, int] = {}
    for heading in re.findall(r"^#+ +(.*?) *$", prose(text), re.MULTILINE):
        words = "".join(c for c in heading.lower() if c in " -_" or unicodedata.category(c)[0] in "LN")
        anchor = words.replace(" ", "-")
        found[anchor] = found.get(anchor, -1) + 1
        if found[anchor]:
            found[f"{anchor}-{found[anchor]}"] = 0
    return set(found)


def links(text: str) -> list[str]:
    """Returns where the links and pictures of a document lead."""
    return re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", prose(text)))


def fenced(text: str, language: str) -> list[str]:
    """Returns the fenced code blocks of a language."""
    return [match[2] for match in _FENCE.finditer(text) if match[1] == language]
