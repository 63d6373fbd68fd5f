"""Builds HTML. Text becomes part of it only after its special characters are escaped."""

import logging
from collections.abc import Iterable
from html import escape
from itertools import pairwise

from markdown_it import MarkdownIt

logging.getLogger("markdown_it").setLevel(logging.INFO)  # it would write a line for each rule that it tries
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")
_EMPTY = frozenset({"link", "meta"})


class Html(str):
    """Holds HTML that needs no escaping any more. Only this module makes it."""

    __slots__ = ()


def tag(name: str, /, *children: str, **attributes: str) -> Html:
    """Returns an element; a child that is no Html is text. An underscore in an attribute's name is a hyphen."""
    pairs = "".join(f' {key.strip("_").replace("_", "-")}="{escape(value)}"' for key, value in attributes.items())
    end = "" if name in _EMPTY else f"{join(children)}</{name}>"
    return Html(f"<{name}{pairs}>{end}")


def join(parts: Iterable[str]) -> Html:
    """Returns parts one after the other; a part that is no Html is text."""
    return Html("".join(part if isinstance(part, Html) else escape(part, quote=False) for part in parts))


def markdown(text: str) -> Html:
    """Returns Markdown as HTML, its headings with anchors; HTML in it is text."""
    tokens = _MARKDOWN.parse(text)
    for opening, content in pairwise(tokens):
        if opening.type == "heading_open":
            opening.attrSet("id", anchor(content.content))
    return Html(_MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {}))


def headings(text: str) -> list[str]:
    """Returns the texts of the headings of a Markdown text."""
    return [content.content for opening, content in pairwise(_MARKDOWN.parse(text)) if opening.type == "heading_open"]


def inline(text: str) -> Html:
    """Returns a line of Markdown as HTML, without a paragraph around it."""
    return Html(_MARKDOWN.renderInline(text))


def anchor(text: str) -> str:
    """Returns the anchor of a heading."""
    return text.lower().replace(" ", "-")
