"""The language of messages: what X-Language says, or Accept-Language, in whatever way tags are written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from service.http.heads import answer_headers
from service.http.languages import language_of


def _language_in(head: bytes) -> str:
    """The language of the answer to a head that could not be parsed."""
    return language_of(CIMultiDict(answer_headers(head)))


X_LANGUAGE = {
    "zh-cn": "zh-cn",
    "ZH-CN": "zh-cn",
    "zh": "zh-cn",
    "ZH_cn": "zh-cn",
    "zh-Hans-CN": "zh-cn",
    "zh_Hant_TW": "zh-cn",
    "zh-TW": "zh-cn",
    "cmn-Hans": "zh-cn",
    " zh-cn ": "zh-cn",
    "en": "en-us",
    "EN-us": "en-us",
    "en_GB": "en-us",
    "fr-fr": "en-us",
    "zhuang": "en-us",
    "za": "en-us",
    "chinese": "en-us",
    "-zh": "en-us",
    "zh cn": "en-us",
    "zh,en": "en-us",
    "é": "en-us",
}
ACCEPT_LANGUAGE = {
    "zh-CN": "zh-cn",
    "zh-CN,zh;q=0.9,en-US;q=0.8,en;q=0.7": "zh-cn",
    "en-US,en;q=0.9,zh-CN;q=0.8": "en-us",
    "en;q=0.5, zh;q=0.6": "zh-cn",
    "en;q=0.5, zh;q=0.5": "en-us",
    "fr, de;q=0.9, zh;q=0.1": "zh-cn",
    "fr": "en-us",
    "zh;q=0": "en-us",
    "zh;q=0, en": "en-us",
    "*": "en-us",
    "*, zh;q=0.5": "zh-cn",
    "zh;q=9": "en-us",
    "": "en-us",
    ";;;,,,": "en-us",
}


def test_x_language_is_read() -> None:
    """Any tag of Chinese is Chinese, all else English."""
    assert {tag: language_of({"X-Language": tag}) for tag in X_LANGUAGE} == X_LANGUAGE


def test_accept_language_is_read() -> None:
    """The language that is wanted most of those that there are; English where there is none."""
    assert {header: language_of({"Accept-Language": header}) for header in ACCEPT_LANGUAGE} == ACCEPT_LANGUAGE


@pytest.mark.parametrize(
    ("x_language", "accept", "language"),
    [("en", "zh", "en-us"), ("zh", "en", "zh-cn"), ("fr", "zh", "en-us"), ("", "zh", "zh-cn"), (" ", "zh", "zh-cn")],
)
def test_x_language_goes_first(x_language: str, accept: str, language: str) -> None:
    """Where both are there X-Language alone counts, known or not; an empty one is none."""
    assert language_of({"X-Language": x_language, "Accept-Language": accept}) == language


def test_no_header_is_english() -> None:
    """Who asks for nothing gets English."""
    assert language_of({}) == "en-us"


UNREADABLE = {
    b"GET / HTTP/9.9\r\nHost: a\r\nX-Language: zh-cn\r\n\r\n": "zh-cn",
    b"GET / HTTP/9.9\r\nAccept-Language: en\r\nx-language:zh\r\n\r\n": "zh-cn",
    b"GET / HTTP/9.9\r\nX-LANGUAGE: en\r\nX-Language: zh\r\nAccept-Language: zh\r\n\r\n": "en-us",
    b"GET / HTTP/9.9\nAccept-Language: fr, zh;q=0.1\n\n": "zh-cn",
    b"bad header\r\nX-Language:   zh\t\r\n": "zh-cn",
    b"GET / HTTP/9.9\r\nY: X-Language: zh\r\n\r\n": "en-us",
    b"GET / HTTP/9.9\r\nX-Language: \xff\xfe\r\n\r\n": "en-us",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03": "en-us",
    b"": "en-us",
}


def test_language_is_found_in_what_cannot_be_parsed() -> None:
    """The bytes of a request may say it, whatever else is wrong with them."""
    assert {head: _language_in(head) for head in UNREADABLE} == UNREADABLE


def test_long_lines_take_no_time() -> None:
    """A line as long as can be is read once."""
    assert _language_in(b"X-Language:" + b" " * 1_000_000 + b"zh\r\n" + b"X-Language: en\r\n" * 10_000) == "zh-cn"


@given(st.text(), st.text(), st.binary())
def test_whatever_comes_has_a_language(x_language: str, accept: str, head: bytes) -> None:
    """Nothing raises."""
    assert language_of(CIMultiDict({"X-Language": x_language, "Accept-Language": accept})) in {"en-us", "zh-cn"}
    assert _language_in(head) in {"en-us", "zh-cn"}
