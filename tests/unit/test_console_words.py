"""The words of the console: both languages say the same things, and no control has another's name within its own."""

import re
from pathlib import Path

import pytest

WORDS = Path(__file__).parents[2] / "service" / "console" / "app" / "words"
_ENTRY = re.compile(r'^  (?:"([^"]+)"|(\w+)):\s*"((?:[^"\\]|\\.)*)",$', re.MULTILINE)
_VALUE = re.compile(r"\{\w+\}")


def words(language: str) -> dict[str, str]:
    """The texts of a language by their keys."""
    text = (WORDS / f"{language}.js").read_text()
    entries = [(quoted or plain, said) for quoted, plain, said in _ENTRY.findall(text)]
    assert len(entries) == len(dict(entries)) == text.count('",\n'), "a key is there twice, or an entry was not read"
    return dict(entries)


def test_both_languages_have_all_texts() -> None:
    """Each key is in both, in the same order, with the same values to fill in; Chinese has one form for all numbers."""
    english, chinese = words("en"), words("zh")
    assert list(english) == list(chinese)
    for key, text in english.items():
        assert {*_VALUE.findall(text)} == {*_VALUE.findall(chinese[key])}, key
        assert all({*_VALUE.findall(form)} == {*_VALUE.findall(text)} for form in text.split("|")), key
        assert "|" not in chinese[key]
        assert text
        assert chinese[key]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_text_is_said(language: str) -> None:
    """No key is left over: each is in a module, or begins or ends as one that a module puts together."""
    code = "\n".join(path.read_text() for path in WORDS.parent.rglob("*.js") if path.name not in {"en.js", "zh.js"})
    beginnings = tuple(re.findall(r"`([a-z_-]+(?:\.[a-z_-]+)*\.)\$\{", code))
    ends = tuple(re.findall(r"`\$\{\w+\}(\.[a-z_.-]+)`", code))
    unsaid = [key for key in words(language) if f'"{key}"' not in code]
    assert [key for key in unsaid if not key.startswith(beginnings) and not key.endswith(ends)] == []
