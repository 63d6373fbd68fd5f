"""Reads what all projects count together: a head and a small string of each stripe."""

from service.store.layout.heads import TOTALS_VERSION, Head
from service.store.layout.keys import head_key, stripe_tag, totals_key
from service.store.layout.totals import Totals, parse_totals
from service.store.read.shared_read import SharedRead
from service.store.redis.views import DamagedError, parse_stored_head

_ATTEMPTS = 3  # a rebuild changes the generation once


async def read_totals(shared: SharedRead, stripe: int, generation: int) -> tuple[Head | None, Totals | None]:
    """Returns a stripe's head and totals of one instant; `generation` is the one that is probably live.

    The head is None if there is none, or a damaged one; the totals are None where they are not known, or not kept.
    Raises LayoutError, and what the client raises.
    """
    head = None
    for _ in range(_ATTEMPTS):
        keys = [head_key(stripe), totals_key(stripe, generation)]
        head_data, data = await shared.mget(stripe_tag(stripe), keys)
        if head_data is None:
            return None, None
        try:
            head = parse_stored_head(stripe, head_data)
        except DamagedError:
            return None, None
        if head.layout_version < TOTALS_VERSION:
            return head, None
        if head.generation == generation:
            return head, parse_totals(data).totals
        generation = head.generation
    return head, None
