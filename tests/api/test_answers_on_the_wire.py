"""Every byte of answers, compared with a record: `answers_on_the_wire.json`. Answers are made in more ways than one.

Whoever wants other bytes writes the record anew with `RECORD=1`, and reads the difference.
"""

import gzip
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from service.http.policy import HttpPolicy
from tests.api.support import PATH, FakeStore, ask, exchange, served, token

RECORD = Path(__file__).with_name("answers_on_the_wire.json")
LARGE, LARGER = 200, 3_000  # users
ANY_ORIGIN, ONE_ORIGIN = HttpPolicy(cors_origins=frozenset({"*"})), HttpPolicy(cors_origins=frozenset({"https://a.b"}))
PREFIXED = HttpPolicy(prefix="/jobs")
END = "GET /healthz HTTP/1.1\r\nHost: a\r\nX-Request-Id: last\r\nConnection: close\r\n\r\n"


@dataclass(frozen=True)
class Case:
    """A request for statistics, and the API that it goes to."""

    lines: tuple[str, ...] = ()
    method: str = "GET"
    path: str = PATH
    version: str = "1.1"
    policy: HttpPolicy = field(default_factory=HttpPolicy)
    store: Mapping[str, Any] = field(default_factory=dict)
    claims: Mapping[str, Any] = field(default_factory=dict)


CSV, GZIP = "Accept: text/csv", "Accept-Encoding: gzip, br"
CASES = {
    "plain": Case(),
    "bounds": Case(path=f"{PATH}?start=5&end=7"),
    "the other way around": Case(path=f"{PATH}?end=7&start=5"),
    "one bound": Case(path=f"{PATH}?end=7"),
    "zeros in front": Case(path=f"{PATH}?start=0005"),
    "escaped": Case(path=f"{PATH}?st%61rt=%35"),
    "nothing between": Case(path=f"{PATH}?&&start=5&"),
    "a bound without a value": Case(path=f"{PATH}?start=&end=7"),
    "a name alone": Case(path=f"{PATH}?start"),
    "other digits": Case(path=f"{PATH}?start=%D9%A3"),
    "too great": Case(path=f"{PATH}?end=9999999999999999"),
    "reversed": Case(path=f"{PATH}?start=7&end=5"),
    "twice": Case(path=f"{PATH}?start=7&start=7"),
    "unknown": Case(path=f"{PATH}?from=7"),
    "a fragment": Case(path=f"{PATH}?start=5#end=7"),
    "a semicolon": Case(path=f"{PATH}?start=5;end=7"),
    "plus": Case(path=f"{PATH}?start=+5"),
    "absolute": Case(path=f"http://a{PATH}?start=5"),
    "escaped path": Case(path=PATH.replace("gene", "g%65ne")),
    "an id": Case(("X-Request-Id: mine",)),
    "no good id": Case(("X-Request-Id: no good",)),
    "a sub-user": Case(claims={"roles": ["nobody"]}),
    "another project": Case(claims={"project_id": "other"}),
    "expired": Case(claims={"exp": 1}),
    "two tokens": Case(("X-Auth-Token: other",)),
    "HEAD": Case(method="HEAD"),
    "POST": Case(method="POST"),
    "the client has it": Case(("If-None-Match: *",)),
    "the client has others": Case(('If-None-Match: "a", "b"',)),
    "HEAD of what the client has": Case(("If-None-Match: *",), method="HEAD"),
    "HTTP/1.0": Case(version="1.0"),
    "HTTP/1.0, kept": Case(("Connection: keep-alive",), version="1.0"),
    "HTTP/1.0, HEAD": Case(method="HEAD", version="1.0"),
    "closed": Case(("Connection: close",)),
    "no host": Case(("Host: ",)),
    "expecting": Case(("Expect: 100-continue",)),
    "expecting other things": Case(("Expect: x",)),
    "a body": Case(("Content-Length: 3", "Connection: close")),
    "an upgrade": Case(("Connection: Upgrade", "Upgrade: websocket")),
    "small with gzip": Case((GZIP,)),
    "large": Case(store={"users": LARGE}),
    "large with gzip": Case((GZIP,), store={"users": LARGE}),
    "HEAD of large with gzip": Case((GZIP,), method="HEAD", store={"users": LARGE}),
    "larger": Case(store={"users": LARGER}),
    "CSV": Case((CSV,), path=f"{PATH}?start=5"),
    "CSV, HEAD": Case((CSV,), method="HEAD"),
    "CSV that the client has": Case((CSV, "If-None-Match: *")),
    "CSV in pieces": Case((CSV,), store={"users": LARGER}),
    "rather JSON": Case(("Accept: text/csv;q=0.5, */*",)),
    "no as-of": Case(store={"as_of_ms": 0}),
    "a horizon": Case(store={"horizon_ms": 1_000}),
    "a horizon before the start": Case(path=f"{PATH}?start=1000", store={"horizon_ms": 1_000}),
    "gaps": Case(store={"gaps": 3, "horizon_ms": 1}),
    "any origin": Case(("Origin: https://c.d",), policy=ANY_ORIGIN),
    "one origin": Case(("Origin: https://a.b",), policy=ONE_ORIGIN),
    "another origin": Case(("Origin: https://c.d",), policy=ONE_ORIGIN),
    "no origin": Case(policy=ONE_ORIGIN),
    "a 304 for an origin": Case(("Origin: https://a.b", "If-None-Match: *"), policy=ONE_ORIGIN),
    "a prefix": Case(path=f"/jobs{PATH}", policy=PREFIXED),
    "past the prefix": Case(policy=PREFIXED),
    "Chinese": Case(("X-Language: zh-cn",), path=f"{PATH}?start=x"),
    "a trace": Case(("traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",)),
}


@pytest.mark.parametrize("is_known", [False, True], ids=["for the first time", "with a known token"])
@pytest.mark.parametrize("name", CASES)
async def test_answers_are_those_of_the_record(name: str, is_known: bool) -> None:
    """The answer, whichever way it is made, has the same bytes as ever, and the connection stays or ends.

    The time, made-up ids and what gzip makes of a body are no part of the record.
    """
    case = CASES[name]
    host = () if any(line.startswith("Host") for line in case.lines) else ("Host: a",)
    signed = token(**{"exp": 4_102_444_800, **case.claims})
    head = [f"{case.method} {case.path} HTTP/{case.version}", *host, f"X-Auth-Token: {signed}", *case.lines]
    request = "\r\n".join([*head, "", ""]) + ("abc" if "Content-Length: 3" in case.lines else "")
    async with served(FakeStore(**case.store), policy=case.policy) as api:
        if is_known:
            await ask(api.port, f"X-Auth-Token: {signed}")
        sent = await exchange(api.port, (request + END).encode())
    found = _readable(sent)
    if os.environ.get("RECORD") and not is_known:
        record = json.loads(RECORD.read_text()) if RECORD.exists() else {}
        RECORD.write_text(json.dumps({**record, name: found}, indent=1, ensure_ascii=False) + "\n")
    assert found == json.loads(RECORD.read_text())[name]


def _readable(sent: bytes) -> list[str]:
    """Lines of heads, and bodies: as they are where they are short, otherwise their length and how they begin."""
    found: list[str] = []
    while sent:
        head, _, sent = sent.partition(b"\r\n\r\n")
        text = re.sub(r"\r\nDate: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", "\r\nDate: then", head.decode())
        text = re.sub(r"X-Request-Id: [0-9a-f]{32}", "X-Request-Id: made up", text)
        body, sent = _body(text, sent)
        if "Content-Encoding: gzip" in text and body:
            body = gzip.decompress(body)
            text = re.sub("Content-Length: [0-9]+", "Content-Length: some", text)
        said = body.decode()
        found += [*text.split("\r\n"), said if len(said) < 120 else f"{len(said)} characters: {said[:80]}"]
    return found


def _body(head: str, sent: bytes) -> tuple[bytes, bytes]:
    """The body behind a head, and what follows it; a HEAD or 304 has none, so that another answer follows at once."""
    if sent.startswith(b"HTTP/1."):
        return b"", sent
    if "Transfer-Encoding: chunked" not in head:
        length = int((re.findall("Content-Length: ([0-9]+)", head) or ["0"])[0])
        return sent[:length], sent[length:]
    body = b""
    while True:
        size, _, sent = sent.partition(b"\r\n")
        body, sent = body + sent[: int(size, 16)], sent[int(size, 16) + 2 :]
        if size == b"0":
            return body, sent
