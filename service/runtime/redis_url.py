"""Takes the URL of Redis apart: one server, the nodes of a cluster, or the sentinels that know the primary.

`redis://user:password@host:6379/0`, `rediss://...` for TLS, `redis+sentinel://host1:26379,host2:26379/service/0`, and
`rediss+sentinel://...`. No error repeats a part of the URL but the name of an option, since any other may be a secret.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote

from service.runtime.tls import Tls, check_certificates, check_key

_SENTINEL = "+sentinel"
_SCHEMES = frozenset({"redis", "rediss", "redis+sentinel", "rediss+sentinel"})
_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::([0-9]{1,5}))?")
_SERVER_PORT, _SENTINEL_PORT = 6379, 26379
_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
_SWITCHES = {"ssl_check_hostname": ("true", "false"), "ssl_cert_reqs": ("required", "none")}
OPTIONS = (*_FILES, *_SWITCHES)


@dataclass(frozen=True, slots=True)
class RedisUrl:
    """Holds the parts of a URL of Redis. With `service` the hosts are sentinels, and that is the primary's name."""

    hosts: tuple[tuple[str, int], ...]
    service: str | None
    username: str | None
    password: str | None = field(repr=False)
    database: int
    tls: Tls | None


def parse_redis_url(url: str) -> RedisUrl:
    """Returns the parts of a URL; settings and clients call it. Raises ValueError, which says what is wrong."""
    scheme, separator, rest = url.partition("://")
    place, _, query = rest.partition("?")
    if not separator or scheme not in _SCHEMES:
        raise ValueError("a URL of another scheme, or none")
    if re.search(r"[\s#]", url) or "@" in query:
        raise ValueError("not a URL: in a user or password % / ? # @ must be written as %25 %2F %3F %23 %40")
    authority, _, path = place.partition("/")
    login, _, names = authority.rpartition("@")
    username, _, password = login.partition(":")
    is_sentinel = scheme.endswith(_SENTINEL)
    service, database = _parse_path(path, is_sentinel)
    options = dict(_parse_options(query))
    is_tls = scheme.startswith("rediss")
    if options and not is_tls:
        raise ValueError("options of TLS, and no rediss://")
    return RedisUrl(
        tuple(_parse_host(name, _SENTINEL_PORT if is_sentinel else _SERVER_PORT) for name in names.split(",")),
        service,
        unquote(username) or None,
        unquote(password) or None,
        database,
        _tls(options) if is_tls else None,
    )


def check_files(tls: Tls) -> None:
    """Raises ValueError, which names the option, unless the files of a URL are PEM files that fit each other."""
    if tls.cafile is not None:
        _check("ssl_ca_certs", check_certificates, tls.cafile)
    if tls.certfile is not None:
        _check("ssl_certfile", check_certificates, tls.certfile)
        _check("ssl_keyfile" if tls.keyfile else "ssl_certfile", check_key, tls.certfile, tls.keyfile)


def _check(option: str, check: Callable[..., None], *files: str | None) -> None:
    try:
        check(*files)
    except ValueError as error:
        raise ValueError(f"{option}: {error}") from None


def _parse_host(text: str, usual_port: int) -> tuple[str, int]:
    parts = _HOST.fullmatch(text)
    if not parts:
        raise ValueError("not a URL with a host, or with several and commas between")
    port = int(parts[3] or usual_port)
    if not 1 <= port <= 65535:
        raise ValueError("a port that can't exist")
    return parts[1] or parts[2], port


def _parse_path(path: str, is_sentinel: bool) -> tuple[str | None, int]:
    """Returns the name of the primary's service, if the hosts are sentinels, and the number of the database."""
    parts = re.fullmatch(r"([A-Za-z0-9._-]+)/?([0-9]{1,5})?" if is_sentinel else r"()([0-9]{1,5})?", path)
    if not parts:
        raise ValueError("its path is no service's name with a database" if is_sentinel else "its path is no database")
    return parts[1] or None, int(parts[2] or 0)


def _parse_options(query: str) -> Iterator[tuple[str, str]]:
    seen = set()
    for name, _, value in (pair.partition("=") for pair in query.split("&") if pair):
        if name not in OPTIONS:
            known = f"its option {name}" if re.fullmatch(r"[a-z_]{1,32}", name) else "one of its options"
            raise ValueError(f"{known} is none that is taken")
        if name in seen or not value:
            raise ValueError(f"its option {name} is there twice, or without a value")
        if name in _SWITCHES and value not in _SWITCHES[name]:
            raise ValueError(f"its option {name} is neither {' nor '.join(_SWITCHES[name])}")
        seen.add(name)
        yield name, unquote(value)


def _tls(options: dict[str, str]) -> Tls:
    if "ssl_keyfile" in options and "ssl_certfile" not in options:
        raise ValueError("ssl_keyfile, and no ssl_certfile")
    return Tls(
        options.get("ssl_ca_certs"),
        options.get("ssl_certfile"),
        options.get("ssl_keyfile"),
        options.get("ssl_cert_reqs") != "none",
        options.get("ssl_check_hostname") != "false",
    )
