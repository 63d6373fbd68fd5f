"""Large and repeated answers: `ETag`, `If-None-Match`, gzip, and HEAD, on the wire."""

import asyncio
import gzip
import re
import zlib
from collections.abc import AsyncIterator

import pytest

from service.http.representations import COMPRESSED_FROM_BYTES, Gzip
from tests.api.support import AS_OF_MS, PATH, Answered, Api, FakeStore, as_caller, served, token
from tests.api.support import ask as ask_anyhow

LARGE = 200  # users


async def ask(api: Api, *lines: str, method: str = "GET", path: str = PATH) -> Answered:
    """Sends a request with a token and these header lines."""
    return await ask_anyhow(api.port, f"X-Auth-Token: {token()}", *lines, method=method, path=path)


@pytest.fixture
async def large() -> AsyncIterator[Api]:
    """The API, whose answers are large."""
    async with served(FakeStore(users=LARGE)) as api:
        yield api


async def test_tag_is_that_of_the_body(api: Api) -> None:
    """The tag stays while the body does, whatever the as-of is, and is another for another body."""
    first = await ask(api)
    api.store.as_of_ms += 1
    again = await ask(api)
    api.store.users += 1
    changed = await ask(api)
    assert re.fullmatch(r'W/"[0-9a-f]{32}"', first.headers["ETag"])
    assert first.headers["ETag"] == again.headers["ETag"] != changed.headers["ETag"]


NOT_MODIFIED = {
    "the tag": ["If-None-Match: {tag}"],
    "the tag, strong": ["If-None-Match: {strong}"],
    "one of several": ['If-None-Match: "a", W/"b" , {tag},"c"'],
    "after a comma": ['If-None-Match: "a,b" ,{tag}'],
    "after nothing": ["If-None-Match: , ,{tag}"],
    "in a second line": ['If-None-Match: "a"', "If-None-Match: {tag}"],
    "after what is none": ["If-None-Match: a, {tag}"],
    "any": ["If-None-Match: *"],
    "in another case": ["IF-NONE-MATCH: {tag}"],
    "with a date": ["If-None-Match: {tag}", "If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT"],
}
MODIFIED = {
    "another tag": ['If-None-Match: "a"'],
    "a part of the tag": ["If-None-Match: {part}"],
    "the tag without quotes": ["If-None-Match: {bare}"],
    "nothing": ["If-None-Match: "],
    "no tag": ["If-None-Match: ;;;"],
    "any, quoted": ['If-None-Match: "*"'],
    "any, weak": ['If-None-Match: W/"*"'],
    "any, among others": ['If-None-Match: *, "a"'],
    "the tag and more": ["If-None-Match: {tag}a"],
    "another header": ["If-Match: {tag}"],
}


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("name", NOT_MODIFIED)
async def test_known_body_is_not_sent_again(api: Api, name: str, method: str) -> None:
    """What the client has is 304 without a body; the headers say how fresh it is by now."""
    first = await ask(api)
    api.store.as_of_ms += 5
    again = await ask(api, *(filled(line, first) for line in NOT_MODIFIED[name]), method=method)
    assert (again.status, again.body) == (304, b"")
    assert again.headers["X-Statistics-As-Of"] == str(AS_OF_MS + 5)
    for header in ("ETag", "Cache-Control", "Vary"):
        assert again.headers[header] == first.headers[header]
    for header in ("Content-Length", "Content-Type", "Content-Encoding", "Transfer-Encoding"):
        assert header not in again.headers


@pytest.mark.parametrize("name", MODIFIED)
async def test_other_body_is_sent(api: Api, name: str) -> None:
    """What the client may not have comes whole."""
    first = await ask(api)
    again = await ask(api, *(filled(line, first) for line in MODIFIED[name]))
    assert (again.status, again.body) == (200, first.body)


def filled(line: str, answered: Answered) -> str:
    """A header line with parts of the tag of an answer in it."""
    tag = answered.headers["ETag"]
    bare = tag[3:-1]
    return line.format(tag=tag, strong=f'"{bare}"', bare=bare, part=f'"{bare[:-1]}"')


async def test_connection_goes_on_after_a_304(api: Api) -> None:
    """The next answer on the connection is read where the 304 ends."""
    tag = (await ask(api)).headers["ETag"]
    headers = {**as_caller(), "If-None-Match": tag}
    for _ in range(3):
        async with api.client.get(PATH, headers=headers) as response:
            assert response.status == 304
    async with api.client.get(PATH, headers=as_caller()) as response:
        assert response.status == 200


async def test_errors_have_no_tag(api: Api) -> None:
    """What is refused is refused whatever the client has, and nobody keeps it."""
    for path in (f"{PATH}?start=x", "/nothing"):
        answered = await ask(api, "If-None-Match: *", path=path)
        assert answered.status in {400, 404}
        assert "ETag" not in answered.headers
        assert answered.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("accepting", ["gzip", "br;q=1.0, gzip;q=0.8, *;q=0.1", "*"])
async def test_large_body_is_compressed(large: Api, accepting: str) -> None:
    """With gzip accepted a large body comes compressed; it is the same body, and has the same tag."""
    plain = await ask(large)
    answered = await ask(large, f"Accept-Encoding: {accepting}")
    assert len(plain.body) >= COMPRESSED_FROM_BYTES
    assert "Content-Encoding" not in plain.headers
    assert answered.headers["Content-Encoding"] == "gzip"
    assert answered.headers["Content-Length"] == str(len(answered.body))
    assert len(answered.body) < len(plain.body) / 4
    assert gzip.decompress(answered.body) == plain.body
    assert answered.headers["ETag"] == plain.headers["ETag"]
    assert answered.headers["Vary"] == plain.headers["Vary"] == "Accept, Accept-Encoding, X-Auth-Token"


@pytest.mark.parametrize("accepting", ["", "identity", "gzip;q=0", "br, deflate", "gzip;q=0, *;q=0.5"])
async def test_large_body_is_sent_as_it_is(large: Api, accepting: str) -> None:
    """Where gzip is not accepted a large body comes as it is."""
    answered = await ask(large, f"Accept-Encoding: {accepting}")
    assert "Content-Encoding" not in answered.headers
    assert answered.headers["Content-Length"] == str(len(answered.body))
    assert answered.body.startswith(b'{"users"')


async def test_two_lines_are_one_list(large: Api) -> None:
    """A header may come in several lines."""
    answered = await ask(large, "Accept-Encoding: br", "Accept-Encoding: gzip")
    assert answered.headers["Content-Encoding"] == "gzip"


async def test_small_body_is_not_compressed(api: Api) -> None:
    """It would hardly become smaller."""
    answered = await ask(api, "Accept-Encoding: gzip")
    assert "Content-Encoding" not in answered.headers
    assert answered.headers["Vary"] == "Accept, Accept-Encoding, X-Auth-Token"


@pytest.mark.parametrize("accepting", ["identity", "gzip"])
@pytest.mark.parametrize("path", [PATH, "/healthz", "/readyz", "/openapi.json", "/nothing"])
async def test_head_is_a_get_without_body(large: Api, path: str, accepting: str) -> None:
    """HEAD has the status and the headers of GET, its length included."""
    line = f"Accept-Encoding: {accepting}"
    got, head = await ask(large, line, path=path), await ask(large, line, method="HEAD", path=path)
    assert (head.status, head.body) == (got.status, b"")
    for answered in (got, head):
        del answered.headers["Date"], answered.headers["X-Request-Id"]
    assert head.headers == got.headers
    assert head.headers["Content-Length"] == str(len(got.body))


async def test_description_has_a_tag(api: Api) -> None:
    """The description of the API is revalidated and compressed as well."""
    first = await ask(api, path="/openapi.json")
    again = await ask(api, f"If-None-Match: {first.headers['ETag']}", path="/openapi.json")
    assert (first.status, again.status) == (200, 304)
    assert again.headers["Cache-Control"] == "no-cache"


async def test_body_is_compressed_once_for_all_who_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those who ask meanwhile share the work, and the result is remembered up to a limit."""
    compressed: list[bytes] = []
    compress = zlib.compress

    def count(body: bytes, *arguments: int) -> bytes:
        compressed.append(body)
        return compress(body, *arguments)

    monkeypatch.setattr(zlib, "compress", count)
    bodies = {digest: digest.encode() * 2_000 for digest in "abc"}
    both = Gzip(max_bytes=110)  # each takes about 50
    results = await asyncio.gather(*(both.of(bodies["a"], "a") for _ in range(10)))
    assert {gzip.decompress(result) for result in results} == {bodies["a"]}
    for digest in "babcb":
        await both.of(bodies[digest], digest)
    assert compressed == [bodies[digest] for digest in "abc"]
    await both.of(bodies["a"], "a")
    assert compressed[3:] == [bodies["a"]]


async def test_those_who_leave_stop_nobody(large: Api) -> None:
    """A client that goes while its body is compressed leaves the work to the others."""
    _, writer = await asyncio.open_connection("127.0.0.1", large.port)
    writer.write(f"GET {PATH} HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\nX-Auth-Token: {token()}\r\n\r\n".encode())
    await large.store.entered.wait()
    writer.transport.abort()
    assert (await ask(large, "Accept-Encoding: gzip")).status == 200
