"""The page's words, as its modules have them."""

import json
import re
from pathlib import Path

_FOLDER = Path(__file__).parents[2] / "service" / "console" / "app" / "words"
_ENTRY = re.compile(r'^  (?:"([\w.\-]+)"|(\w+)):\s*("(?:[^"\\]|\\.)*")', re.MULTILINE)


def words(language: str) -> dict[str, str]:
    """The texts of a language by their keys."""
    text = (_FOLDER / f"{language}.js").read_text()
    return {quoted or plain: json.loads(value) for quoted, plain, value in _ENTRY.findall(text)}


def in_chinese(name: str) -> set[str]:
    """What the Chinese page says where the English one says this."""
    english, chinese = words("en"), words("zh")
    return {chinese[key] for key, text in english.items() if text == name}
