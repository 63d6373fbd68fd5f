"""The types of the settings' values, each with its validator. No error repeats a value, since it may be a secret."""

import ipaddress
import os
import re
from pathlib import Path
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from service.runtime.redis_url import check_files, parse_redis_url
from service.runtime.tls import check_certificates

_NO_ORIGIN = "no origin as browsers send it: in small letters and punycode, without its default port or a path"
_DEFAULT_PORTS = {"http": 80, "https": 443}


def _decimal(value: object) -> object:
    """Refuses text that is not 1 to 15 ASCII digits: no sign, space, underscore or point. Raises ValueError."""
    if isinstance(value, str) and not re.fullmatch(r"[0-9]{1,15}", value):
        raise ValueError("not a whole number")
    return value


def _share(value: object) -> object:
    """Refuses text that is no plain decimal fraction: no sign, no exponent, no word such as nan. Raises ValueError."""
    if isinstance(value, str) and not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,9})?", value):
        raise ValueError("not a number")
    return value


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


def _names(value: object) -> object:
    if not isinstance(value, str):
        return value
    names = frozenset(name.strip() for name in value.split(",") if name.strip())
    if not names:
        raise ValueError("no name in it")
    return names


def _split_url(url: str, schemes: tuple[str, ...]) -> SplitResult:
    """Returns the parts of a URL with a host and, if it names a port, one that can exist; else raises ValueError."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        # The text of urllib's error quotes what it cannot read, which may be a part of a password.
        raise ValueError("not a URL, or its port is no port") from None
    if port == 0 or not parts.hostname or re.search(r"\s", url):
        raise ValueError("not a URL with a host")
    if not url.startswith(tuple(f"{scheme}://" for scheme in schemes)):
        raise ValueError("a URL of another scheme")
    return parts


def _redis_url(url: str) -> str:
    tls = parse_redis_url(url).tls
    if tls is not None:
        check_files(tls)
    return url


def _http_url(url: str) -> str:
    _split_url(url, ("http", "https"))
    return url


def _host(host: str) -> str:
    try:
        host.encode("idna")  # as Python does to resolve it
    except UnicodeError:
        raise ValueError("no name that a host can have") from None
    if re.search(r"\s", host):
        raise ValueError("a space in it")
    return host


def _servers(servers: str) -> str:
    for server in servers.split(","):
        parts = re.fullmatch(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5})", server.strip())
        if not parts:
            raise ValueError("not host:port")
        if not 1 <= int(parts[2]) <= 65535:
            raise ValueError("a port that can't exist")
    return servers


def _topic(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,249}", name) or name in {".", ".."}:
        raise ValueError("no name that Kafka takes")
    return name


def _key_prefix(prefix: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9.:_-]{1,32}", prefix):
        raise ValueError("no prefix")
    return prefix


def _url_path(path: str) -> str:
    if not re.fullmatch(r"(/[A-Za-z0-9._~-]+)+", path) or {".", ".."} & set(path.split("/")):
        raise ValueError("no path")
    return path


def _origins(value: object) -> object:
    """Returns the origins as browsers write them; raises ValueError. An origin is a scheme, a host, maybe a port."""
    origins = _names(value)
    if isinstance(origins, frozenset) and origins != {"*"}:
        for origin in origins:
            _check_origin(origin)
    return origins


def _check_origin(origin: str) -> None:
    parts = _split_url(origin, ("http", "https"))
    host = parts.hostname or ""
    try:
        written = _as_browsers_write(host)
    except ValueError:
        raise ValueError(_NO_ORIGIN) from None
    port = "" if parts.port in (None, _DEFAULT_PORTS[parts.scheme]) else f":{parts.port}"
    if origin != f"{parts.scheme}://{written}{port}":
        raise ValueError(_NO_ORIGIN)


def _as_browsers_write(host: str) -> str:
    """Returns a host as a browser writes it in an origin; raises ValueError where none asks such a host."""
    if ":" in host:
        if "%" in host:
            raise ValueError("a zone, which URLs of browsers do not have")
        return f"[{ipaddress.IPv6Address(host)}]"
    labels = host.removesuffix(".").split(".")
    if not all(re.fullmatch(r"[a-z0-9_-]{1,63}", label) for label in labels):
        raise ValueError("a host of other characters")
    if re.fullmatch(r"[0-9]+|0x[0-9a-f]*", labels[-1]):  # then it is an IPv4 address, of four decimal numbers
        return str(ipaddress.IPv4Address(host))
    return host


def _signing_secret(secret: SecretStr) -> SecretStr:
    if len(os.fsencode(secret.get_secret_value())) < 32:  # RFC 7518, 3.2: at least the size of the hash
        raise ValueError("shorter than 32 bytes")
    return secret


def _visible(name: str) -> str:
    if name != name.strip():
        raise ValueError("a space at its begin or end")
    return name


def _file(path: str) -> str:
    if not Path(path).is_file():
        raise ValueError("no such file")
    return path


def _certificates(path: str) -> str:
    check_certificates(_file(path))
    return path


WholeNumber = Annotated[int, BeforeValidator(_decimal)]
PositiveNumber = Annotated[WholeNumber, Field(ge=1)]
Share = Annotated[float, BeforeValidator(_share), Field(ge=0, le=0.5)]
Port = Annotated[WholeNumber, Field(le=65535)]
UpperCase = BeforeValidator(_upper)
Names = Annotated[frozenset[str], BeforeValidator(_names)]
Name = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_visible)]
Origins = Annotated[frozenset[str], BeforeValidator(_origins)]
UrlPath = Annotated[str, BeforeValidator(_url_path)]
RedisUrl = Annotated[str, BeforeValidator(_redis_url)]
HttpUrl = Annotated[str, BeforeValidator(_http_url)]
Host = Annotated[str, BeforeValidator(_host)]
Servers = Annotated[str, BeforeValidator(_servers)]
Topic = Annotated[str, BeforeValidator(_topic)]
KeyPrefix = Annotated[str, BeforeValidator(_key_prefix)]
SigningSecret = Annotated[SecretStr, AfterValidator(_signing_secret)]
FilePath = Annotated[str, BeforeValidator(_file)]
CertificateFile = Annotated[str, BeforeValidator(_certificates)]
