"""What a store says of all projects together, and what the oracle does."""

from collections.abc import Iterable

from service.store.layout.heads import parse_head
from service.store.layout.keys import STRIPES, head_key, totals_key
from service.store.layout.totals import Totals, parse_totals
from tests.oracle import latest_events
from tests.store.support import Client, Event, stored


def expected_totals(events: Iterable[Event], horizon_ms: int = 0) -> Totals:
    """The sums over the latest events of all jobs that start from the horizon on."""
    latest = [each for each in latest_events(events).values() if each.start_time_ms >= horizon_ms]
    jobs = tuple(sum(each.status == status for each in latest) for status in range(6))
    return Totals(jobs, sum(each.input_size_bytes for each in latest))


async def stored_totals(client: Client, stripe: int) -> Totals | None:
    """The totals of a stripe's live generation; zeros where nobody has written the stripe."""
    if not await client.exists(head_key(stripe)):
        return Totals()
    data = await client.get(totals_key(stripe, parse_head(await stored(client, head_key(stripe))).generation))
    return parse_totals(data if isinstance(data, bytes) else None).totals


async def sum_of_totals(client: Client) -> Totals:
    """The sum over all stripes, each of which must be known."""
    known = [each for stripe in range(STRIPES) if (each := await stored_totals(client, stripe)) is not None]
    assert len(known) == STRIPES
    return sum(known, Totals())
