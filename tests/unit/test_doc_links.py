"""What the docs point to is there: links and anchors, paths, make targets, and the commands of code blocks."""

import importlib.util
import re
import shlex
from pathlib import Path

import pytest

from consumers.commands.frame import create_parser
from tests.docs import PROJECT, anchors, code_lines, documents, everything, links, present, quoted, tables

# What may follow a command in a code block: a comment, or a word that stands for another.
_COMMENT = re.compile(r"\s+#\s.*$")
_PROGRAM = re.compile(r"^(?:\.venv/bin/)?(?=python -m |make |curl )")
_PATH = re.compile(r"(?:\.ci|\.github|service|consumers|gene_statistics|deploy|examples|tests|bench|docs)/[\w./-]*")
_TARGETS = re.compile(r"^([a-z]+):.*## ", re.MULTILINE)
MAKEFILE = (PROJECT / "Makefile").read_text()


def commands() -> list[str]:
    """The commands that code blocks show, without comments; what may be left out is in them."""
    lines = [_COMMENT.sub("", line) for text in present().values() for line in code_lines(text)]
    return sorted({re.sub(r"[\[\]]", "", _PROGRAM.sub("", line)) for line in lines if _PROGRAM.match(line)})


def folders() -> set[str]:
    """The packages, and packages in packages."""
    inits = [*PROJECT.glob("*/__init__.py"), *PROJECT.glob("*/*/__init__.py")]
    return {f"{path.parent.relative_to(PROJECT)}/" for path in inits}


@pytest.mark.parametrize("document", documents())
def test_links_lead_somewhere(document: str) -> None:
    """A file that is there, and a heading of it where the link names one."""
    for link in links(documents()[document]):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (PROJECT / document).parent / path if path else PROJECT / document
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target.read_text(encoding="utf-8")), link


@pytest.mark.parametrize("document", documents())
def test_an_index_has_each_section_once(document: str) -> None:
    """The list at the top, or a table in the first section, leads to every heading of the second level."""
    text = documents()[document]
    title, *sections = re.split(r"^(?=## )", text, flags=re.MULTILINE)
    headings = [section.splitlines()[0] for section in sections]
    assert sorted(set(headings)) == sorted(headings)
    if len([link for link in links(title) if link.startswith("#")]) > 2:
        listed = {link.removeprefix("#") for link in links(title + sections[0])}
        assert [heading for heading in headings if not anchors(f"{heading}\n") & listed] == []


@pytest.mark.parametrize("document", documents())
def test_no_row_of_a_table_is_there_twice(document: str) -> None:
    """As it is after a merge of two additions."""
    for rows in tables(documents()[document]):
        assert [row for row in rows if rows.count(row) > 1] == []


@pytest.mark.parametrize("document", present())
def test_paths_are_there(document: str) -> None:
    """What is quoted as a path of this repository, or of a test in it, is one."""
    for text in quoted(present()[document]):
        if _PATH.fullmatch(text):
            assert (PROJECT / text).exists() or (PROJECT / "service" / text).exists(), text


def test_all_rooms_are_in_the_tour() -> None:
    """CONTRIBUTING.md has a line for each package of the service, the consumers and deploy, and for no other folder."""
    lines = code_lines(documents()["CONTRIBUTING.md"])
    rooms = {match[1] for line in lines if (match := re.match(r"([a-z_]+/(?:[a-z_]+/)*) +\S", line))}
    assert all((PROJECT / room).is_dir() for room in rooms)
    assert {each for each in folders() if each.split("/")[0] not in {"tests", "bench"}} <= rooms


def test_each_package_says_what_it_is_for() -> None:
    """Its `__init__.py` has a docstring."""
    tops = ("service", "consumers", "gene_statistics", "deploy", "bench")
    inits = [path for top in tops for path in (PROJECT / top).rglob("__init__.py")]
    assert [str(path) for path in inits if not path.read_text().startswith('"""')] == []


def test_targets_of_make() -> None:
    """The README or the tour names each target, and no document another; the list of phony ones is complete."""
    targets = set(_TARGETS.findall(MAKEFILE))
    shown = [line for text in present().values() for line in [*quoted(text), *code_lines(text)]]
    named = {match[1] for line in shown if (match := re.match(r"make ([a-z]+)", line))}
    assert named == targets
    phony = re.search(r"^\.PHONY: (.*)", MAKEFILE, re.MULTILINE)
    assert phony is not None
    assert set(phony[1].split()) == targets


@pytest.mark.parametrize("command", commands())
def test_commands_are_valid(command: str) -> None:
    """A shell takes them apart; their modules, targets, arguments and paths are there."""
    words = shlex.split(command)
    assert words
    if words[:2] == ["python", "-m"]:
        assert importlib.util.find_spec(words[2]) is not None
        _CHECKS.get(words[2], _take_all)(words[3:])


def _take_all(arguments: list[str]) -> None:
    """Of a program whose arguments are not looked at."""


def _check_consumers(arguments: list[str]) -> None:
    if arguments and arguments != ["COMMAND"]:
        create_parser().parse_args(arguments)


def _check_pytest(arguments: list[str]) -> None:
    assert all((PROJECT / each).exists() for each in arguments if "/" in each)


def _check_bench(arguments: list[str]) -> None:
    """Read, not run: it takes packages that are not there for the tests."""
    source = (PROJECT / "bench" / "__main__.py").read_text()
    assert all(f'"{each}"' in source for each in arguments if not re.fullmatch(r"[\d.]+", each))


_CHECKS = {"consumers": _check_consumers, "pytest": _check_pytest, "bench": _check_bench}


def test_no_document_names_a_place_of_one_machine() -> None:
    """Docs hold for every machine."""
    assert not re.search(r"/(?:work|root|home)/", everything())


def test_the_constraints_name_no_index() -> None:
    """Exact versions, and nothing that says where they come from."""
    for line in Path(PROJECT / "constraints.txt").read_text().splitlines():
        assert re.fullmatch(r"[a-z0-9-]+==(\d+!)?[0-9][0-9a-z.]*( ; .+)?", line)
        assert "/" not in line
