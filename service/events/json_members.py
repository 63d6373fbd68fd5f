"""Splits a JSON object or array into the texts of what it holds, whatever the values are. Pure, no I/O.

Parsers judge a document as a whole: they refuse it for one number too long, one level too deep, or half a surrogate
pair in any of its members. This module judges grammar alone (RFC 8259), by loops and not by recursion. Decoding uses
it where the parser refuses a document, and who reads keys of others, of which an odd one is left out.
"""

import json
import re
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_SPACE = rb"[ \t\n\r]*+"
_STRING = rb'"(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4}))*+"'
_NUMBER = rb"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?[0-9]++)?+"
_NAME = _SPACE + rb"(" + _STRING + rb")" + _SPACE + rb":" + _SPACE

_A_SPACE = re.compile(_SPACE)
_A_NAME = re.compile(_NAME)
# Matches a whole value, or the opening of one that has members: of an array, or of an object and its first name.
_A_VALUE = re.compile(
    rb"(?:%b|%b|true|false|null|\[%b\]|\{%b\})|(\[)%b|\{%b" % (_STRING, _NUMBER, _SPACE, _SPACE, _SPACE, _NAME)
)
# By the closing bracket: matches what follows a member, a comma (in an object with the next name) or that bracket.
_WHAT_FOLLOWS = {
    b"]": re.compile(rb"%b(?:(,)%b|\])" % (_SPACE, _SPACE)),
    b"}": re.compile(rb"%b(?:(,)%b|\})" % (_SPACE, _NAME)),
}


class NotJsonError(ValueError):
    """A text is not JSON; the message says at which byte, and has the text for its subject."""


def split_members(text: bytes) -> dict[str, bytes] | None:
    """Returns the text of each member's value by its name, or None if the document is no object.

    `text` is UTF-8. Of a name that is there twice, the last member counts. A name may have half a surrogate pair.
    Raises NotJsonError.
    """
    return _split(text, b"{", _read_object)


def split_elements(text: bytes) -> list[bytes] | None:
    """Returns the text of each element, or None if the document is no array. `text` is UTF-8. Raises NotJsonError."""
    return _split(text, b"[", _read_array)


def _split(text: bytes, opening: bytes, read: Callable[[bytes, int], tuple[T, int]]) -> T | None:
    """Returns what the document holds if it begins with that bracket, else None. Raises NotJsonError."""
    at = _expect(_A_SPACE, text, 0).end()
    found: T | None = None
    if text[at : at + 1] == opening:
        found, at = read(text, at + 1)
    else:
        at = _end_of_value(text, at)
    at = _expect(_A_SPACE, text, at).end()
    if at != len(text):
        raise NotJsonError(f"goes on at byte {at}, after the end of the JSON document")
    return found


def _read_object(text: bytes, at: int) -> tuple[dict[str, bytes], int]:
    """Returns the members of the object whose opening brace ends at `at`, and the position after its closing brace."""
    members: dict[str, bytes] = {}
    at = _expect(_A_SPACE, text, at).end()
    if text[at : at + 1] == b"}":
        return members, at + 1
    while True:
        name = _expect(_A_NAME, text, at)
        end = _end_of_value(text, name.end())
        members[json.loads(name[1])] = text[name.end() : end]
        at = _expect(_A_SPACE, text, end).end()
        if text[at : at + 1] == b"}":
            return members, at + 1
        if text[at : at + 1] != b",":
            raise _not_json(text, at)
        at += 1


def _read_array(text: bytes, at: int) -> tuple[list[bytes], int]:
    """Returns the elements of the array whose opening bracket ends at `at`, and the position after the closing one."""
    elements: list[bytes] = []
    at = _expect(_A_SPACE, text, at).end()
    if text[at : at + 1] == b"]":
        return elements, at + 1
    while True:
        end = _end_of_value(text, at)
        elements.append(text[at:end])
        following = _expect(_WHAT_FOLLOWS[b"]"], text, end)
        at = following.end()
        if not following[1]:
            return elements, at


def _end_of_value(text: bytes, at: int) -> int:
    closing: list[bytes] = []  # the closing bracket of each array and object that is open, outermost first
    while True:
        match = _expect(_A_VALUE, text, at)
        at = match.end()
        if match[1] or match[2]:
            closing.append(b"]" if match[1] else b"}")
            continue
        while closing:
            match = _expect(_WHAT_FOLLOWS[closing[-1]], text, at)
            at = match.end()
            if match[1]:
                break
            closing.pop()
        else:
            return at


def _expect(pattern: re.Pattern[bytes], text: bytes, at: int) -> re.Match[bytes]:
    match = pattern.match(text, at)
    if match is None:
        raise _not_json(text, at)
    return match


def _not_json(text: bytes, at: int) -> NotJsonError:
    return NotJsonError(
        f"ends at byte {at}, before the JSON document does" if at == len(text) else f"is not JSON at byte {at}"
    )
