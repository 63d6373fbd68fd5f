"""`python -m tests.chaos.consumer_ahead`: a consumer whose clock is an hour ahead."""

import asyncio
import sys

from consumers.__main__ import run
from service.runtime import log
from service.runtime.settings import ConsumerSettings, load
from service.store.redis.clock import system_now_ms

_LEAD_MS = 3_600_000


def now_ms() -> int:
    """The time by that clock."""
    return system_now_ms() + _LEAD_MS


if __name__ == "__main__":
    settings = load(ConsumerSettings)
    log.configure(settings.log_level)
    sys.exit(asyncio.run(run(settings, now_ms)))
