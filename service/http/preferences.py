"""Parses headers that list what a client prefers, with weights (RFC 9110, 12.4): `Accept-Encoding` and the like."""

import re

_ITEM = re.compile(r"[ \t]*([^\s;,]+)[ \t]*(?:;[ \t]*q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)[ \t]*)?", re.IGNORECASE)
_MOST_ITEMS = 64  # real clients send ten at most, and a caller must not make the service read thousands


def weights(header: str) -> dict[str, float]:
    """Returns the items of a header in lower case and in their order, each with its weight: 1 unless it says another.

    Items that are not well formed are left out, and so is what follows the first 64.
    """
    found: dict[str, float] = {}
    for item in header.split(",", _MOST_ITEMS)[:_MOST_ITEMS]:
        match = _ITEM.fullmatch(item)
        if match:
            found.setdefault(match[1].lower(), float(match[2] or 1))
    return found


def accepts_gzip(accept_encoding: str) -> bool:
    """Tells whether an `Accept-Encoding` allows gzip, and does not rather have the body as it is."""
    given = weights(accept_encoding)
    weight = given.get("gzip", given.get("x-gzip", given.get("*", 0.0)))
    return weight > 0 and weight >= given.get("identity", 0.0)
