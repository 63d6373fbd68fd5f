"""Errors: codes, languages, headers; and what never gets as far as a handler."""

import json
import logging
import re

import pytest

from service.http.errors import (
    CATALOGUE,
    HEAD_TOO_LONG,
    HEADER_TOO_LONG,
    TARGET_TOO_LONG,
    TOO_MANY_HEADERS,
    ApiError,
    ErrorKind,
)
from service.http.errors import MALFORMED as MALFORMED_MESSAGE
from service.http.policy import DEFAULT_POLICY, create_policy
from service.runtime.settings import ServiceSettings
from service.store.errors import StoreUnavailableError
from tests.api.support import PATH, PROJECT, Api, as_caller, ask, exchange, parsed, served, token

CONTRACT = {
    400: "DLI.0001",
    401: "DLI.0013",
    403: "DLI.0016",
    404: "DLI.0023",
    405: "DLI.0007",
    429: "DLI.1028",
    500: "DLI.0999",
    503: "DLI.0012",
}


def test_catalogue_is_the_contracts() -> None:
    """Every status has its code, and there is no other."""
    assert {kind.status: kind.code for kind in CATALOGUE} == CONTRACT


@pytest.mark.parametrize("kind", CATALOGUE, ids=lambda kind: str(kind.code))
def test_every_error_speaks_both_languages(kind: ErrorKind) -> None:
    """Chinese messages are Chinese, English ones ASCII."""
    error = ApiError(kind)
    assert error.body("en-us").error_msg.isascii()
    assert re.search("[\u4e00-\u9fff]", error.body("zh-cn").error_msg)


@pytest.mark.parametrize(
    ("lines", "language"),
    [
        ([], "en-us"),
        (["X-Language: zh-cn"], "zh-cn"),
        (["X-LANGUAGE: ZH_Hans"], "zh-cn"),
        (["Accept-Language: zh-CN,zh;q=0.9,en;q=0.8"], "zh-cn"),
        (["X-Language: fr-fr", "Accept-Language: zh"], "en-us"),
    ],
)
async def test_headers_pick_the_language(api: Api, lines: list[str], language: str) -> None:
    """X-Language picks the message's language, else Accept-Language; the answer says which it is."""
    answered = await ask(api.port, *lines, path="/nothing")
    message = {"en-us": "No such resource.", "zh-cn": "资源不存在。"}[language]
    assert json.loads(answered.body) == {"error_code": "DLI.0023", "error_msg": message}
    assert answered.headers["Content-Language"] == language


async def test_parameter_is_named_in_chinese_too(api: Api) -> None:
    """A parameter's error in Chinese names the parameter and the bound."""
    headers = {**as_caller(), "X-Language": "zh-cn"}
    async with api.client.get(f"{PATH}?end=x", headers=headers) as response:
        assert (await response.json())["error_msg"] == "参数end必须是0到9007199254740991之间的十进制整数。"


@pytest.mark.parametrize("path", ["/", "/v2.0", PATH + "/", PATH.upper(), "//" + PATH, "/healthz/", "/metrics/x"])
async def test_unknown_path_is_404(api: Api, path: str) -> None:
    """Any path but the API's own is a JSON 404 that nobody may keep."""
    async with api.client.get(f"http://127.0.0.1:{api.port}{path}") as response:
        assert (response.status, (await response.json())["error_code"]) == (404, "DLI.0023")
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", [PATH, "/healthz", "/readyz", "/metrics", "/openapi.json"])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"])
async def test_other_methods_are_405(api: Api, path: str, method: str) -> None:
    """A method that isn't there is a JSON 405 whose Allow holds exactly those that are."""
    async with api.client.request(method, path) as response:
        assert (response.status, (await response.json())["error_code"]) == (405, "DLI.0007")
        assert set(response.headers["Allow"].split(",")) == {"GET", "HEAD"}


async def test_bug_is_a_bare_500(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    """What nobody foresaw is a 500 without details; the log has them."""
    api.store.error = RuntimeError("a detail")
    async with api.client.get(PATH, headers=as_caller()) as response:
        text = await response.text()
    assert (response.status, json.loads(text)["error_code"]) == (500, "DLI.0999")
    assert "detail" not in text
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.exc_info is not None
    assert record.exc_info[1] is api.store.error


async def test_outage_is_logged_without_traceback(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    """A store that is away is an ERROR of one line."""
    api.store.error = StoreUnavailableError("refused")
    async with api.client.get(PATH, headers=as_caller()):
        pass
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.getMessage() == "request failed: refused"
    assert record.exc_info is None


MALFORMED = {
    "text": b"hello\r\n\r\n",
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "version": b"GET / HTTP/9.9\r\nHost: a\r\n\r\n",
    "next version": b"GET / HTTP/2.0\r\nHost: a\r\n\r\n",
    "preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "old version": b"GET / HTTP/0.9\r\nHost: a\r\n\r\n",
    "old request": b"GET /\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "header": b"GET / HTTP/1.1\r\nHost: a\r\nbad header\r\n\r\n",
    "length": b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    "smuggling": b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    "long line": b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    "long header": b"GET / HTTP/1.1\r\nHost: a\r\nX-Auth-Token: " + b"a" * 20_000 + b"\r\n\r\n",
    "all headers": b"GET / HTTP/1.1\r\nHost: a\r\n" + b"A: %s\r\n" % (b"b" * 8_000) * 5 + b"\r\n",
    "many headers": b"GET / HTTP/1.1\r\nHost: a\r\n" + b"A: b\r\n" * 200 + b"\r\n",
    "long query": b"GET /healthz?" + b"a" * 8_182 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    "long name": b"GET / HTTP/1.1\r\nHost: a\r\n" + b"a" * 17_000 + b": b\r\n\r\n",
    "expect": b"GET / HTTP/1.1\r\nHost: a\r\nExpect: a miracle\r\n\r\n",
    "target": b"GET http://[ HTTP/1.1\r\nHost: a\r\n\r\n",
}


TOO_LONG = {
    "long line": TARGET_TOO_LONG,
    "long query": TARGET_TOO_LONG,
    "long header": HEADER_TOO_LONG,
    "long name": HEADER_TOO_LONG,
    "all headers": HEAD_TOO_LONG,
    "many headers": TOO_MANY_HEADERS,
}


@pytest.mark.parametrize("name", MALFORMED)
async def test_malformed_request_is_a_json_400(api: Api, name: str) -> None:
    """What is no HTTP gets the API's own 400 as well, and the connection ends."""
    head, _, body = (await exchange(api.port, MALFORMED[name])).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"\r\nConnection: close" in head
    assert b"Content-Type: application/json; charset=utf-8" in head
    assert re.search(rb"X-Request-Id: [0-9a-f]{32}", head)
    message = TOO_LONG.get(name, MALFORMED_MESSAGE)
    assert json.loads(body) == {"error_code": "DLI.0001", "error_msg": message.english}


@pytest.mark.parametrize("name", ["version", "no host", "header", "length", "smuggling", "expect", "target"])
async def test_malformed_request_is_refused_in_its_language(api: Api, name: str) -> None:
    """The language is found where the request as a whole could not be read."""
    first, _, rest = MALFORMED[name].partition(b"\r\n")
    answered = parsed(await exchange(api.port, first + b"\r\nX-Language: zh-cn\r\n" + rest))
    assert (answered.status, json.loads(answered.body)["error_msg"]) == (400, "请求不是有效的HTTP报文。")


async def test_what_is_just_not_too_long_is_read(api: Api) -> None:
    """The limits are those that the messages name."""
    path = b"/healthz?" + b"a" * (8_190 - len(b"/healthz?"))
    for request in (
        b"GET " + path + b" HTTP/1.1\r\n",
        b"GET /healthz HTTP/1.1\r\nA: " + b"a" * 16_383 + b"\r\n",
        b"GET /healthz HTTP/1.1\r\n" + b"A: b\r\n" * 126,
    ):
        answer = await exchange(api.port, request + b"Host: a\r\nConnection: close\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200 ")


async def test_every_refusal_speaks_chinese() -> None:
    """Each error that a request can bring about is in the language that it asks for."""
    good, other = (f"X-Auth-Token: {token(project_id=project)}" for project in (PROJECT, "other"))
    refusals = {
        400: ("GET", f"{PATH}?start=x", [good]),
        401: ("GET", PATH, []),
        403: ("GET", PATH, [other]),
        404: ("GET", "/nothing", []),
        405: ("POST", PATH, []),
        200: ("GET", PATH, [good]),
        429: ("GET", PATH, [good]),
    }
    async with served(per_second=1) as api:
        for status, (method, path, lines) in refusals.items():
            answered = await ask(api.port, "X-Language: zh", *lines, method=method, path=path)
            assert answered.status == status
            assert status == 200 or re.search("[\u4e00-\u9fff]", json.loads(answered.body)["error_msg"])


async def test_401_says_what_it_asks_for() -> None:
    """What is asked for is a header of ours; with Keystone it is Keystone that has tokens, and where."""
    keystone = {"auth": "keystone", "keystone_url": "https://me:secret@keystone.example:5000/identity"}
    names = dict.fromkeys(("keystone_username", "keystone_password", "keystone_project", "keystone_domain"), "x")
    settings = ServiceSettings.model_validate({**keystone, **names})
    challenges = {
        DEFAULT_POLICY: 'X-Auth-Token realm="gene-job-statistics"',
        create_policy(settings): 'Keystone uri="https://keystone.example:5000/identity"',
    }
    for policy, challenge in challenges.items():
        async with served(policy=policy) as api:
            for lines in ([], ["X-Auth-Token: x"], ["X-Auth-Token: a", "X-Auth-Token: b"]):
                answered = await ask(api.port, *lines)
                assert (answered.status, answered.headers["WWW-Authenticate"]) == (401, challenge)


SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Server": "gene-job-statistics",
}


@pytest.mark.parametrize("path", [PATH, "/healthz", "/readyz", "/metrics", "/openapi.json", "/nothing", "/%"])
async def test_every_answer_is_shut(api: Api, path: str) -> None:
    """Every answer, good or bad, says that browsers are to do nothing with it, and not what serves it."""
    answers = [await ask(api.port, path=path), await ask(api.port, f"X-Auth-Token: {token()}", path=path)]
    answers.append(parsed(await exchange(api.port, MALFORMED["header"])))
    for answered in answers:
        assert {name: answered.headers[name] for name in SECURITY} == SECURITY


@pytest.mark.parametrize("target", [b"*", b"a:1", b"nothing"])
@pytest.mark.parametrize("method", [b"OPTIONS", b"CONNECT", b"GET"])
async def test_strange_target_is_an_error_of_the_api(api: Api, method: bytes, target: bytes) -> None:
    """Request targets that are no path get a JSON error of 4xx, whatever the method."""
    answer = await exchange(api.port, method + b" " + target + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert re.match(rb"HTTP/1\.[01] 40[04] ", head)
    assert json.loads(body)["error_code"] in {"DLI.0001", "DLI.0023"}


async def test_error_does_not_end_a_connection(api: Api) -> None:
    """Two requests on one connection: a 404 leaves it usable."""
    request = b"GET %s HTTP/1.1\r\nHost: a\r\nConnection: %s\r\n\r\n"
    answer = await exchange(api.port, request % (b"/x", b"keep-alive") + request % (b"/healthz", b"close"))
    assert re.findall(rb"HTTP/1.1 (\d+)", answer) == [b"404", b"200"]


async def test_body_of_a_get_is_ignored(api: Api) -> None:
    """A GET with a body is answered like one without, and the next request on the connection is its own."""
    body = b"GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n"
    request = b"GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    end = b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    answer = await exchange(api.port, request + end)
    assert re.findall(rb"HTTP/1.1 (\d+)", answer) == [b"200", b"200"]
