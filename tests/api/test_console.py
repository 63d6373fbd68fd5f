"""The console as it is served: its page, the files of its version, and who its caller is."""

import gzip
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import PurePosixPath

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, Route, expect
from yarl import URL

from service.api.resources.console import POLICY
from service.console.files import load
from service.http.policy import HttpPolicy
from tests.api.support import PROJECT, Api, as_caller, served, token
from tests.browser import visit

CONSOLE = load()
BASE = f"/console/{CONSOLE.version}"
_IMPORTED = re.compile(r"""(?:\bfrom|\bimport)\s*\(?\s*["'](\.[^"']+)["']""")
_PASSED_ON = {"Content-Type", "Content-Security-Policy", "Cache-Control", "X-Statistics-As-Of"}
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)


class Links(HTMLParser):
    """The addresses that a page loads, and whether anything is written into it that its policy would block."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.is_clean = True
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Takes `src`, `href` and `data-program`."""
        named = dict(attrs)
        self.found += [value for name in ("src", "href", "data-program") if (value := named.get(name))]
        if tag == "style" or (tag == "script" and "src" not in named) or any(name.startswith("on") for name in named):
            self.is_clean = False


def modules() -> Iterator[tuple[str, str]]:
    """Each module of the page, and its text without comments."""
    for path, file in CONSOLE.files.items():
        if path.endswith(".js"):
            yield path, _COMMENT.sub("", file.body.decode())


async def test_page(api: Api) -> None:
    """It may be kept, and is asked for each time; its policy lets in what comes from here, and nothing inline."""
    async with api.client.get("/console?range=7d&lang=zh") as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "text/html; charset=utf-8"
        assert response.headers["Cache-Control"] == "no-cache"
        assert response.headers["Content-Security-Policy"] == POLICY
        assert Links(await response.text()).is_clean
        tag = response.headers["ETag"]
    assert POLICY.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in POLICY
    async with api.client.get("/console", headers={"If-None-Match": tag}) as response:
        assert (response.status, await response.read()) == (304, b"")


@pytest.mark.parametrize("prefix", ["", "/statistics"])
async def test_what_the_page_loads_is_there(prefix: str) -> None:
    """By addresses that are relative to the page, below a prefix too; they stay the same, and may be kept for good."""
    async with served(policy=HttpPolicy(prefix=prefix)) as api:
        async with api.client.get(f"{prefix}/console") as response:
            links = Links(await response.text()).found
        assert f"console/{CONSOLE.version}/app/main.js" in links
        for link in links:
            async with api.client.get(f"{prefix}/{link}") as response:
                assert (response.status, bool(await response.read())) == (200, True), link
                kept = response.headers["Cache-Control"]
                assert kept == ("no-cache" if link == "console/boot.js" else "public, max-age=31536000, immutable")


def test_every_import_is_there() -> None:
    """No module imports what is not in the wheel; and the page names all that its program starts with."""
    missing = [
        (path, imported)
        for path, text in modules()
        for imported in _IMPORTED.findall(text)
        if _joined(path, imported) not in CONSOLE.files
    ]
    assert missing == []
    linked = Links(CONSOLE.page.body.decode()).found
    assert {f"{BASE[1:]}/{path}" for path in ("app/main.js", "app/core/api.js", "vendor/lit-html/lit-html.js")} <= {
        *linked
    }


def _joined(path: str, imported: str) -> str:
    parts: list[str] = []
    for part in (*PurePosixPath(path).parent.parts, *imported.split("/")):
        if part == "..":
            parts.pop()
        elif part != ".":
            parts.append(part)
    return "/".join(parts)


def without_types(module: bytes) -> bytes:
    """A module without the lines of the comments that state types."""
    lines, is_inside = [], False
    for line in module.splitlines(keepends=True):
        text = line.strip()
        begins = text.startswith(b"/**") and (b"*/" not in text or text.endswith(b"*/"))
        if is_inside or begins:
            is_inside = not text.endswith(b"*/")
        else:
            lines.append(line)
    return b"".join(lines)


async def test_files_are_what_they_are(api: Api) -> None:
    """Every file of a type that is served comes whole, in both encodings, with its type, and by HEAD.

    The program's own modules come without the comments that state types.
    """
    for path, file in CONSOLE.files.items():
        whole = (files("service.console") / path).read_bytes()
        whole = without_types(whole) if path.startswith("app/") else whole
        assert (file.body, gzip.decompress(file.compressed)) == (whole, whole)
    types = {"app/main.js": "text/javascript", "style/page.css": "text/css", "icon.svg": "image/svg+xml"}
    for path, kind in types.items():
        for method in ("GET", "HEAD"):
            async with api.client.request(method, f"{BASE}/{path}") as response:
                assert (response.status, response.content_type) == (200, kind)
                assert (await response.read() != b"") == (method == "GET")
    async with api.client.get(f"{BASE}/app/main.js", auto_decompress=False) as response:
        assert response.headers["Content-Encoding"] == "gzip"
        assert await response.read() == CONSOLE.files["app/main.js"].compressed


@pytest.mark.parametrize(
    "path",
    [
        f"{BASE}/app/none.js",
        f"{BASE}/app",
        f"{BASE}/app/types.d.ts",
        f"{BASE}/__init__.py",
        f"{BASE}/files.py",
        f"{BASE}/index.html",
        f"{BASE}/%2e%2e/files.py",
        f"{BASE}/..%2f..%2fscript.py",
        f"{BASE}//app/main.js",
        "/console/0123456789abcdef/app/main.js",
        "/console/none",
    ],
)
async def test_nothing_else_is_served(api: Api, path: str) -> None:
    """Neither what is no file of the page, nor what lies beside, nor a file of another version: 404, not to be kept."""
    async with api.client.get(path) as response:
        assert (response.status, (await response.json())["error_code"]) == (404, "DLI.0023")
        assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("prefix", ["", "/statistics"])
async def test_a_slash_at_the_end_leads_to_the_page(prefix: str) -> None:
    """What is seen goes along; the way is a relative one, which is right behind a proxy that strips its path too."""
    query = "range=7d&user=a%23b%26c%25d%0d%0aX:1"  # as it came: a name may have signs of addresses in it
    async with (
        served(policy=HttpPolicy(prefix=prefix)) as api,
        api.client.get(URL(f"{prefix}/console/?{query}", encoded=True), allow_redirects=False) as response,
    ):
        assert (response.status, response.headers["Location"]) == (307, f"../console?{query}")
        assert response.url.join(response.url.__class__(response.headers["Location"])).path == f"{prefix}/console"


async def test_caller(api: Api) -> None:
    """Who asks, of which project, and until when; what the token does not say is absent."""
    async with api.client.get("/console/caller", headers=as_caller(exp=4_000_000_000)) as response:
        assert response.headers["Cache-Control"] == "no-store"
        assert await response.json() == {
            "project_id": PROJECT,
            "user_name": "test",
            "is_administrator": True,
            "expires_at": 4_000_000_000_000,
        }
    async with api.client.get("/console/caller", headers=as_caller(name=None, roles=[])) as response:
        described = await response.json()
        assert (described.keys(), described["is_administrator"]) == (
            {"project_id", "is_administrator", "expires_at"},
            False,
        )
    async with api.client.get("/console/caller?project=p", headers=as_caller()) as response:
        assert response.status == 400
    assert api.store.asked == []


async def test_caller_counts_towards_the_limit() -> None:
    """It is a request of the caller like any other: with the others it gets 429, and a time to wait."""
    async with served(per_second=1) as api:
        statuses = []
        for _ in range(3):
            async with api.client.get("/console/caller", headers=as_caller()) as response:
                statuses.append(response.status)
        assert statuses == [200, 200, 429]
        assert response.headers["Retry-After"] == "1"


@asynccontextmanager
async def behind_a_proxy(api: Api, path: str) -> AsyncIterator[str]:
    """The address below which a proxy serves the API, which it asks without that path."""

    async def pass_on(request: web.Request) -> web.Response:
        headers = {name: value for name, value in request.headers.items() if name not in {"Host", "Connection"}}
        async with api.client.get(request.rel_url.raw_path_qs.removeprefix(path), headers=headers) as response:
            kept = {name: value for name, value in response.headers.items() if name in _PASSED_ON}
            return web.Response(status=response.status, body=await response.read(), headers=kept)

    proxy = web.Application()
    proxy.router.add_get(f"{path}/{{rest:.*}}", pass_on)
    server = TestServer(proxy, host="127.0.0.1")
    async with server:
        yield f"http://127.0.0.1:{server.port}{path}"


@pytest.mark.parametrize("way", ["as it is", "a prefix", "a proxy that strips its path"])
async def test_browser_signs_in_by_a_link(browser: Browser, way: str) -> None:
    """Below a path too: nothing is blocked, nothing is asked elsewhere, and the address has no token any more."""
    async with AsyncExitStack() as stack:
        prefix = "/statistics" if way == "a prefix" else ""
        api = await stack.enter_async_context(served(policy=HttpPolicy(prefix=prefix)))
        base = f"http://127.0.0.1:{api.port}{prefix}"
        if way.startswith("a proxy"):
            base = await stack.enter_async_context(behind_a_proxy(api, "/tools/jobs"))
        secret = token()
        async with visit(browser, f"{base}/console?lang=en#token={secret}") as visited:
            await expect(visited.page.get_by_role("button", name="Sign out")).to_be_visible()
            await expect(visited.page.get_by_text("Project")).to_contain_text(PROJECT)
            assert visited.page.url.startswith(f"{base}/console?range=24h&")
            assert secret not in visited.page.url
            assert await visited.page.evaluate("history.length") == 2  # the empty page that each tab begins with
            assert all(address.startswith(f"{base}/") for address in visited.asked)
            assert not any(secret in address for address in visited.asked[1:])
            assert [line for line in visited.console if "blocked" in line] == []


async def test_a_page_of_another_version_is_loaded_anew(api: Api, browser: Browser) -> None:
    """While a release is rolled out a module may be asked of a process that does not have it: the page tries again."""
    async with visit(browser, "about:blank") as visited:
        page = visited.page

        async def answer_as_a_neighbour(route: Route) -> None:
            await route.fulfill(status=404, body="")

        await page.route("**/app/core/api.js", answer_as_a_neighbour)
        await page.goto(f"http://127.0.0.1:{api.port}/console?lang=en&range=7d")
        await expect(page.get_by_text("It tries again by itself")).to_be_visible()
        await page.unroute("**/app/core/api.js", answer_as_a_neighbour)
        await expect(page.get_by_role("textbox", name="Token")).to_be_visible(timeout=20_000)
        assert "range=7d" in page.url
