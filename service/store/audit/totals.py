"""Holds a stripe's totals to what its projects count, and counts them anew where they are wrong or not known."""

from service.store.audit.counting import Counting, UncountedError
from service.store.audit.findings import Drift, WrongTotals
from service.store.audit.reads import Pause, no_pause
from service.store.audit.repair import Repair
from service.store.errors import FencedError, StoreUnavailableError
from service.store.layout.heads import TOTALS_VERSION, Head
from service.store.layout.keys import head_key, totals_key
from service.store.layout.totals import Totals, parse_totals
from service.store.redis.views import Client, DamagedError, parse_stored_head, read_at_once, read_head

_ATTEMPTS = 3  # a rebuild changes the generation once
_NOTHING = Repair([], [])


async def audit_totals(
    client: Client, stripe: int, pause: Pause = no_pause, *, is_repair: bool = False, is_countable: bool = True
) -> Repair:
    """Compares a stripe's totals with what its projects count; a repair makes them that.

    It finds nothing where the layout has no totals, where head or list of projects are damaged, and where totals that
    are known cannot be compared, as a project is damaged: all that is drift by itself. `is_countable` says whether a
    repair could count what is not known, as far as the caller knows. `pause` is awaited after each call. Raises
    StoreUnavailableError, LayoutError.
    """
    for _ in range(_ATTEMPTS):
        try:
            head, totals = await _look(client, stripe)
            if head.layout_version < TOTALS_VERSION:
                return _NOTHING
            key = totals_key(stripe, head.generation)
            if totals is None and not is_repair:
                drifts = [Drift(None, key, "is not known", WrongTotals(stripe) if is_countable else None)]
                return Repair(drifts, drifts)
            return await _compare(Counting(client, stripe, head, pause), key, WrongTotals(stripe), is_repair=is_repair)
        except FencedError:
            continue
        except UncountedError as error:
            drifts = [] if totals else [Drift(None, key, f"is not known, as {error}")]
            return Repair(drifts, drifts)
        except DamagedError:
            return _NOTHING
    raise StoreUnavailableError(f"the generation of stripe {stripe} changed {_ATTEMPTS} times while it was counted")


async def settle_totals(client: Client, stripe: int) -> None:
    """Counts a stripe's totals if they are not known, and can be. Raises StoreUnavailableError, LayoutError."""
    try:
        _, totals = await _look(client, stripe)
    except DamagedError:
        return
    if totals is None:
        await audit_totals(client, stripe, is_repair=True)


async def _look(client: Client, stripe: int) -> tuple[Head, Totals | None]:
    """Returns the live head, and the totals if they are known. Raises DamagedError if there is no head."""
    generation = (await read_head(client, stripe)).generation
    keys = head_key(stripe), totals_key(stripe, generation)
    [[head_data, data]] = await read_at_once(client, [("MGET", *keys)])
    if head_data is None:
        raise DamagedError(head_key(stripe), "is not there")
    head = parse_stored_head(stripe, head_data)
    if head.generation != generation:
        raise FencedError(stripe)
    return head, parse_totals(data).totals


async def _compare(counting: Counting, key: str, cause: WrongTotals, *, is_repair: bool) -> Repair:
    counted, said = await counting.count(is_repair=is_repair)
    if said == counted:
        return _NOTHING
    what = "was not known" if said is None else f"says {said}, the projects count {counted}"
    drifts = [Drift(None, key, what, cause)]
    return Repair(drifts, [] if is_repair or said is None else drifts)
