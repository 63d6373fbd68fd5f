"""Parses headers that list what a client prefers, with weights (RFC 9110, 12.4): `Accept`, `Accept-Encoding`."""

import re
from functools import lru_cache
from operator import itemgetter

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


@lru_cache(256)
def prefers(accept: str, wanted: str, default: str) -> bool:
    """Tells whether an `Accept` names a media type, or its kind, and rather has it than another.

    Of two that weigh the same it is the one that is named more exactly: `text/csv, */*` rather has CSV than JSON.
    """
    ranges: dict[str, float] = {}
    for item in accept.lower().split(",", _MOST_ITEMS)[:_MOST_ITEMS]:
        name, *parameters = (part.strip() for part in item.split(";"))
        quality = next((each for each in parameters if each.startswith("q=")), "q=1")
        ranges |= {each: value for each, value in weights(f"{name};{quality}").items() if each not in ranges}
    weight, exactness = _preference(ranges, wanted)
    return weight > 0 and exactness > 1 and (weight, exactness) > _preference(ranges, default)


def _preference(ranges: dict[str, float], media_type: str) -> tuple[float, int]:
    """Returns how much a media type weighs, and how exactly it is named: 3, 2, 1, or not (RFC 9110, 12.5.1)."""
    names = {"*/*": 1, f"{media_type.partition('/')[0]}/*": 2, media_type: 3}
    return max(
        ((ranges[name], exact) for name, exact in names.items() if name in ranges), key=itemgetter(1), default=(0, 0)
    )


def accepts_gzip(accept_encoding: str) -> bool:
    """Tells whether an `Accept-Encoding` allows gzip, and does not rather have the body as it is."""
    given = weights(accept_encoding)
    weight = given.get("gzip", given.get("x-gzip", given.get("*", 0.0)))
    return weight > 0 and weight >= given.get("identity", 0.0)
