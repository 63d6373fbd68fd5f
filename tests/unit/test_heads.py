"""What a client sends, cut into heads."""

import pytest

from service.http.heads import MAX_HEAD_BYTES, HeadCutter, HeadTooLongError, answer_headers

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
HEAD = b"HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n"


def pieces(*received: bytes) -> list[bytes]:
    """The pieces of what comes in these parts."""
    cutter, found, rest = HeadCutter(), [], b""
    for part in received:
        rest += part
        while rest:
            piece, rest = cutter.cut(rest)
            if not piece:
                break
            found.append(piece)
    return found


def whole(found: list[bytes]) -> list[bytes]:
    """The heads that pieces make up."""
    heads = [b""]
    for piece in found:
        heads[-1] += piece
        if heads[-1].endswith(b"\r\n\r\n"):
            heads.append(b"")
    return heads


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 11, 1_000])
def test_a_piece_has_one_head_at_most_however_it_comes(size: int) -> None:
    """Heads come out as they went in, and none shares a piece with another, wherever the bytes are parted."""
    stream = GET + HEAD + GET + b"bad\r\n\r\n" + GET + b"GET /unfinished"
    found = pieces(*(stream[at : at + size] for at in range(0, len(stream), size)))
    assert all(piece.count(b"\r\n\r\n") <= 1 and b"\r\n\r\n" not in piece[:-4] for piece in found)
    assert whole(found) == [GET, HEAD, GET, b"bad\r\n\r\n", GET, b"GET /unfinished"]


@pytest.mark.parametrize("method", [b"BREW", b"get", b"G", b"PROPFIND", b"X" * 32])
@pytest.mark.parametrize("size", [1, 3, 1_000])
def test_an_unknown_method_becomes_one_that_no_resource_has(method: bytes, size: int) -> None:
    """It is exchanged wherever it is parted, and after blank lines; what follows it stays."""
    stream = GET + b"\r\n" + method + GET[3:] + GET
    found = pieces(*(stream[at : at + size] for at in range(0, len(stream), size)))
    assert whole(found) == [GET, b"TRACE" + GET[3:], GET, b""]


@pytest.mark.parametrize("start", [b"\x16\x03\x01", b"X" * 33 + b" / ", b": a\r\n", b"GET\t/", b"BREW\r\n"])
def test_what_has_no_method_is_left_to_the_parser(start: bytes) -> None:
    """The parser gets it as it came."""
    assert b"".join(pieces(start + b" HTTP/1.1\r\n\r\n")) == start + b" HTTP/1.1\r\n\r\n"


def test_a_head_is_bounded_whether_it_ends_or_not() -> None:
    """A head of the greatest size passes, one byte more does not; what came before it does not count."""
    line = GET[:-2] + b"A: "
    filling = b"x" * (MAX_HEAD_BYTES - len(line) - 4)
    assert len(b"".join(pieces(GET, line + filling, b"\r\n\r\n" + GET))) == 2 * len(GET) + MAX_HEAD_BYTES
    with pytest.raises(HeadTooLongError):
        pieces(line + filling + b"x\r\n\r\n")
    with pytest.raises(HeadTooLongError):
        pieces(line, filling, b"xxxxx")


def test_headers_of_the_answer_are_found_in_what_cannot_be_parsed() -> None:
    """Language and id are found in any case of letters; nothing else is, and nothing after a line's end."""
    head = b"BAD\r\nx-language:zh-cn\r\nX-Auth-Token: s3cr3t\r\nX-Request-Id: a1\r\n\r\n"
    assert answer_headers(head) == {"x-language": "zh-cn", "x-request-id": "a1"}
