"""Answers in CSV, to those who ask for it: as a file with a name, in pieces where it is large."""

from collections.abc import Callable, Iterator, Mapping
from itertools import chain

from aiohttp import hdrs, web

from service.api.csv_bodies import CSV
from service.http.asking import Asking
from service.http.preferences import prefers
from service.http.representations import client_has, not_modified, represent, represent_pieces
from service.runtime.digests import digest_of

_JSON = "application/json"


def wants_csv(request: Asking) -> bool:
    """Tells whether a request asks for CSV, and not rather for JSON."""
    return prefers(",".join(request.headers.getall(hdrs.ACCEPT, ())), CSV, _JSON)


async def csv_answer(
    request: web.Request, rows: Callable[[], Iterator[bytes]], seed: str, name: str, headers: Mapping[str, str]
) -> web.StreamResponse:
    """Returns the answer with these rows as its body, which a browser keeps as a file of that name.

    `rows` gives them in pieces, at least one, and is not called for who has them. They are others only with another
    `seed`. `headers` are those of the answer in JSON.
    """
    headers = dict(headers)
    headers[hdrs.CONTENT_TYPE] = f"{CSV}; charset=utf-8"
    headers[hdrs.CONTENT_DISPOSITION] = f'attachment; filename="{name}"'
    digest = digest_of(f"{CSV} {seed}".encode())
    if client_has(request, digest):
        return not_modified(digest, headers)
    pieces = rows()
    first, second = next(pieces), next(pieces, None)
    if second is None:
        return await represent(request, first, digest, headers)
    return represent_pieces(request, chain((first, second), pieces), digest, headers)


def file_name(kind: str, project_id: str, start_ms: int | None, end_ms: int | None) -> str:
    """Returns the name of a file: what it has, of which project, and from when to when in Unix ms."""
    bounds = {"from": start_ms, "to": end_ms}
    said = (f"{word}-{bound_ms}" for word, bound_ms in bounds.items() if bound_ms is not None)
    return f"{'_'.join((kind, project_id, *said))}.csv"
