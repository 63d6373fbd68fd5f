"""Reads the console's files once, each with its type and compressed, and makes the page with the addresses of them all.

The address of a file has the version of them all: so a browser may keep it for good, and never mixes two releases.
"""

import gzip
import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from html import escape
from importlib.resources import files
from importlib.resources.abc import Traversable

from service.runtime.digests import digest_of

_PAGE, _BOOT, _PROGRAM = "index.html", "boot.js", "app/main.js"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    "": "text/plain; charset=utf-8",  # the licenses of what is vendored
}
_FIRST_STYLES = ("style/tokens.css", "style/page.css")
# Modules that a module needs before it can run; what it imports later, by a call, is not among them.
_IMPORT = re.compile(rb'(?:^|;)(?:import|export)\b[^;"\'()]*["\'](\.[^"\']+)["\']', re.MULTILINE)

# Comments that state types, on lines of their own: they are a third of the modules' bytes, and nothing to a browser.
_STATES_TYPES = re.compile(rb"^[ \t]*/\*\*(?:(?!\*/).)*\*/[ \t]*\n", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class File:
    """What is answered for an address, also compressed with gzip, and its tag."""

    body: bytes
    compressed: bytes
    digest: str
    content_type: str


@dataclass(frozen=True, slots=True)
class Console:
    """The page, the script that starts it, and by their paths the files of this version."""

    version: str
    page: File
    boot: File
    files: Mapping[str, File]


def load() -> Console:
    """Reads all files of the console. It blocks for some 100 ms, so it is called when the API is imported."""
    bodies = dict(sorted(_read(files("service.console"), "")))
    digest = sha256()
    for path, body in bodies.items():
        digest.update(f"{path}\0{len(body)}\0".encode() + body)
    version = digest.hexdigest()[:16]
    served = {path: _file(path, body) for path, body in bodies.items() if path not in {_PAGE, _BOOT}}
    page = _make_page(bodies, f"console/{version}")
    return Console(version, _file(_PAGE, page), _file(_BOOT, bodies[_BOOT]), served)


def _read(folder: Traversable, prefix: str) -> Iterator[tuple[str, bytes]]:
    for entry in folder.iterdir():
        path = prefix + entry.name
        if entry.is_dir():
            yield from _read(entry, path + "/")
        elif posixpath.splitext(entry.name)[1] in _TYPES:
            body = entry.read_bytes()
            yield path, _STATES_TYPES.sub(b"", body) if path.startswith("app/") else body


def _file(path: str, body: bytes) -> File:
    compressed = gzip.compress(body, mtime=0)
    return File(body, compressed, digest_of(body), _TYPES[posixpath.splitext(path)[1]])


def _make_page(bodies: Mapping[str, bytes], base: str) -> bytes:
    """Returns the page with a link for each style sheet, and one for each module that the program starts with.

    Without these links a browser would find out about a module only when it has read the one that imports it.
    """
    styles = [*_FIRST_STYLES, *(path for path in bodies if path.endswith(".css") and path not in _FIRST_STYLES)]
    links = [
        *(f'<link rel="stylesheet" href="{escape(f"{base}/{path}")}">' for path in styles),
        *(f'<link rel="modulepreload" href="{escape(f"{base}/{path}")}">' for path in _needed(bodies, _PROGRAM)),
    ]
    return bodies[_PAGE].replace(b"{{base}}", base.encode()).replace(b"{{links}}", "\n".join(links).encode())


def _needed(bodies: Mapping[str, bytes], program: str) -> list[str]:
    """Returns a module and all that it imports, directly or not, each once."""
    needed = [program] if program in bodies else []
    for path in needed:  # it grows meanwhile
        for imported in _IMPORT.findall(bodies[path]):
            target = posixpath.normpath(posixpath.join(posixpath.dirname(path), imported.decode()))
            if target in bodies and target not in needed:
                needed.append(target)
    return needed
