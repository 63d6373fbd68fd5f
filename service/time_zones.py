"""Loads time zones by their IANA names from the package tzdata, so that borders are the same on every machine."""

import asyncio
from importlib.resources import files
from zoneinfo import ZoneInfo

_TZDATA = files("tzdata")
NAMES = frozenset((_TZDATA / "zones").read_text("utf-8").split())
"""The names that are known, letter case and all: those of zones, and others that stand for them."""


class TimeZones:
    """Loads each zone once; there are as many as there are names."""

    def __init__(self) -> None:
        self._loaded: dict[str, ZoneInfo] = {}

    async def get(self, name: str) -> ZoneInfo:
        """Returns the zone of that name, which is one of NAMES. It is read in a thread."""
        if name not in self._loaded:
            self._loaded[name] = await asyncio.to_thread(_load, name)
        return self._loaded[name]


def _load(name: str) -> ZoneInfo:
    with _TZDATA.joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, name)
