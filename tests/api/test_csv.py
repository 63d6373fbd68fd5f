"""Both resources in CSV: who gets it, what is in it, how large ones are sent, and names that look like formulas."""

import asyncio
import csv
import gzip
import io
import json
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from tests.api.support import (
    AS_OF_MS,
    PATH,
    PROJECT,
    TOTALS,
    USER,
    Answered,
    Api,
    FakeStore,
    as_caller,
    ask,
    served,
    token,
)

SERIES = f"{PATH}/timeseries?start=0&end=7200000&interval=1h"
POINT = ["start", "end", "is_partial", *list(USER)[1:]]
LARGE = 20_000  # users


async def of(api: Api, *lines: str, path: str = PATH, method: str = "GET", **claims: Any) -> Answered:
    """The answer to whoever asks for CSV."""
    return await ask(api.port, f"X-Auth-Token: {token(**claims)}", "Accept: text/csv", *lines, path=path, method=method)


def rows_of(body: bytes) -> list[list[str]]:
    """The rows of a CSV; each ends with CRLF."""
    text = body.decode()
    assert text.endswith("\r\n")
    assert text.count("\n") == text.count("\r\n") == text.count("\r")
    return list(csv.reader(io.StringIO(text, newline="")))


@pytest.fixture
async def large() -> AsyncIterator[Api]:
    """The API, with more users than are sent at once."""
    async with served(FakeStore(users=LARGE)) as api:
        yield api


async def test_row_for_each_user() -> None:
    """An administrator gets a row for each user under the names of JSON, sizes exact, in a file with a name."""
    async with served(FakeStore(users=2)) as api:
        answer = await of(api, path=f"{PATH}?start=5&end=9")
    assert answer.status == 200
    assert rows_of(answer.body) == [list(USER), *[[str(value) for value in USER.values()]] * 2]
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="gene-statistics_{PROJECT}_from-5_to-9.csv"'
    assert answer.headers["Vary"] == "Accept, Accept-Encoding, X-Auth-Token"
    assert answer.headers["X-Statistics-As-Of"] == str(AS_OF_MS)
    assert answer.headers["Content-Length"] == str(len(answer.body))


async def test_no_users_are_a_header() -> None:
    """A project without jobs has the row of names alone."""
    async with served(FakeStore(users=0)) as api:
        assert rows_of((await of(api)).body) == [list(USER)]


@pytest.mark.parametrize(("name", "shown"), [("测试", "测试"), ("=1+1", "'=1+1"), (None, "")])
async def test_sub_user_gets_a_row_of_its_own(api: Api, name: str | None, shown: str) -> None:
    """A sub-user gets its own figures under its own name, and nothing of others."""
    answer = await of(api, roles=[], name=name)
    totals = [TOTALS[f"total_{key}"] for key in list(USER)[1:]]
    assert rows_of(answer.body) == [list(USER), [shown, *map(str, totals)]]
    assert api.store.asked == [(PROJECT, None, None, "user-1")]


async def test_row_for_each_point(api: Api) -> None:
    """A time series has a row for each point under the names of JSON, and the numbers that JSON has."""
    answer = await of(api, path=SERIES)
    async with api.client.get(SERIES, headers=as_caller()) as response:
        points = json.loads(await response.read())["points"]
    assert len(points) == 2
    assert rows_of(answer.body) == [POINT, *[[json.dumps(point[name]) for name in POINT] for point in points]]
    name = f"gene-statistics-1h_{PROJECT}_from-0_to-7200000.csv"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{name}"'
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["X-Statistics-As-Of"] == str(AS_OF_MS)


@pytest.mark.parametrize("path", [PATH, SERIES])
@pytest.mark.parametrize(
    ("accept", "is_csv"),
    [
        *((accept, True) for accept in ("text/csv", "TEXT/CSV;q=0.1", "text/*", "text/csv, */*")),
        *(
            (accept, True)
            for accept in ("text/csv;header=present", "application/json;q=0.8, text/csv; charset=a; q=0.9")
        ),
        *((accept, False) for accept in ("*/*", "", "application/json", "image/png", "text/csv;q=x", ";;,,")),
        *((accept, False) for accept in ("text/csv;q=0", "text/csv;q=0, */*", "text/html, */*;q=0.8")),
        ("text/csv, application/json", False),
        ("text/csv;q=0.5, application/json;q=0.6", False),
        ("application/json;q=0.2, */*", False),
    ],
)
async def test_accept_is_weighed(api: Api, path: str, accept: str, is_csv: bool) -> None:
    """CSV is for those who name it, or its kind, and do not rather have JSON."""
    answer = await ask(api.port, f"X-Auth-Token: {token()}", f"Accept: {accept}", path=path)
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/csv" if is_csv else "application/json")


@pytest.mark.parametrize("path", [PATH, SERIES])
async def test_each_representation_has_a_tag(api: Api, path: str) -> None:
    """The tag of CSV is not that of JSON; with it the answer is 304 as long as nothing has changed."""
    answer = await of(api, path=path)
    in_json = await ask(api.port, f"X-Auth-Token: {token()}", path=path)
    assert answer.headers["ETag"] != in_json.headers["ETag"]
    known = await of(api, f"If-None-Match: {answer.headers['ETag']}", path=path)
    assert (known.status, known.body) == (304, b"")
    assert known.headers["Vary"] == answer.headers["Vary"]
    assert (await of(api, f"If-None-Match: {in_json.headers['ETag']}", path=path)).status == 200
    assert (await of(api, "If-None-Match: *", path=path)).status == 304


async def test_tag_is_another_for_another_name(api: Api) -> None:
    """A sub-user whose name has changed gets its row anew."""
    first, second = [await of(api, roles=[], name=name) for name in ("a", "b")]
    assert first.headers["ETag"] != second.headers["ETag"]


@pytest.mark.parametrize("path", [PATH, SERIES])
async def test_head_has_the_headers_of_get(api: Api, path: str) -> None:
    """HEAD of a CSV is GET without the body."""
    get, head = await of(api, path=path), await of(api, path=path, method="HEAD")
    assert (head.status, head.body) == (200, b"")
    for name in ("ETag", "Content-Type", "Content-Disposition", "Content-Length"):
        assert head.headers[name] == get.headers[name]


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
async def test_large_csv_is_sent_in_pieces(large: Api, encoding: str) -> None:
    """Thousands of users come whole, in chunks, compressed for those who accept that; the connection goes on."""
    headers = {**as_caller(), "Accept": "text/csv", "Accept-Encoding": encoding}
    tags = set()
    for _ in range(2):
        async with large.client.get(PATH, headers=headers, auto_decompress=False) as response:
            body = await response.read()
        assert response.headers["Transfer-Encoding"] == "chunked"
        assert response.headers.get("Content-Encoding", "identity") == encoding
        rows = rows_of(gzip.decompress(body) if encoding == "gzip" else body)
        assert len(rows) == LARGE + 1
        assert rows[-1] == [str(value) for value in USER.values()]
        tags.add(response.headers["ETag"])
    async with large.client.get(PATH, headers={**headers, "If-None-Match": tags.pop()}) as response:
        assert (response.status, tags) == (304, set())


async def test_large_csv_has_a_head(large: Api) -> None:
    """HEAD of what is sent in pieces has no body, and leaves the connection as it was."""
    for _ in range(2):
        async with large.client.head(PATH, headers={**as_caller(), "Accept": "text/csv"}) as response:
            assert (response.status, await response.read()) == (200, b"")
            assert response.headers["Content-Type"] == "text/csv; charset=utf-8"


async def test_large_csv_for_http_1_0(large: Api) -> None:
    """A client that knows no chunks reads until the connection ends."""
    request = f"GET {PATH} HTTP/1.0\r\nX-Auth-Token: {token()}\r\nAccept: text/csv\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", large.port)
    writer.write(request.encode())
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    assert b"chunked" not in head
    assert len(rows_of(body)) == LARGE + 1


async def test_others_are_answered_while_a_large_csv_is_sent(large: Api) -> None:
    """Between two pieces the loop does other things: many small answers come before one large one has ended."""
    done: list[str] = []

    async def read(name: str, path: str, accept: str) -> None:
        async with large.client.get(path, headers={**as_caller(), "Accept": accept}) as response:
            await response.read()
        done.append(name)

    await asyncio.gather(read("large", PATH, "text/csv"), *(read("small", "/healthz", "*/*") for _ in range(5)))
    assert done[-1] == "large"


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
async def test_client_that_goes_ends_it(
    large: Api, log_lines: Callable[[], list[dict[str, Any]]], encoding: str
) -> None:
    """Who closes the connection in the midst of a CSV is no failure, and leaves nothing behind."""
    large.store.users = 10 * LARGE
    reader, writer = await asyncio.open_connection("127.0.0.1", large.port)
    lines = [f"GET {PATH} HTTP/1.1", "Host: a", f"X-Auth-Token: {token()}", "Accept: text/csv"]
    writer.write("\r\n".join([*lines, f"Accept-Encoding: {encoding}", "", ""]).encode())
    assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    writer.transport.abort()
    async with large.client.get("/healthz") as response:
        assert response.status == 200
    assert [line for line in log_lines() if logging.getLevelName(line["level"]) > logging.INFO] == []


async def test_errors_stay_json(api: Api) -> None:
    """An error is JSON, whatever was asked for."""
    answer = await of(api, path=f"{PATH}?start=x")
    assert (answer.status, answer.headers["Content-Type"]) == (400, "application/json; charset=utf-8")
    assert json.loads(answer.body)["error_code"] == "DLI.0001"
