"""Commands of the product's clients pass the front, in an order that is a function of the seed."""

from tests.simulation.redis.served import Served
from tests.store.support import Query, assert_equals_oracle, assert_no_drift, event

WHOLE: list[Query] = [("project", None, None, None)]


async def test_the_products_writer_and_reader_work(redis: Served) -> None:
    """What is written is read, and stands the audit, which uses transactions."""
    events = [event(number, user_id=f"user{number % 3}") for number in range(300)]
    async with redis.store() as store:
        await store.apply(events)
        await assert_equals_oracle(store, events, WHOLE)
        await assert_no_drift(store.client, events)
