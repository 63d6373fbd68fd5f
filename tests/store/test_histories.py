"""After any history every answer equals a recount, and the tree equals the job records."""

from collections.abc import Awaitable, Callable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.store.histories import History, cut, disorder, histories
from tests.store.support import Client, Store, assert_equals_oracle, assert_no_drift

Flush = Callable[[], Awaitable[object]]


@settings(max_examples=120)
@given(histories())
async def test_answers_equal_a_recount(client: Client, flush: Flush, history: History) -> None:
    """After each batch, what is asked of an interval, for an administrator or a user, is what a recount says."""
    await flush()
    store = Store(client)
    applied = []
    for number, batch in enumerate(history.batches):
        await store.apply(batch)
        applied += batch
        await assert_equals_oracle(store, applied, history.queries[number :: len(history.batches)])
    await assert_equals_oracle(store, applied, history.queries)


@pytest.mark.parametrize("key_prefix", ["other:"])
@settings(max_examples=60)
@given(histories())
async def test_audit_finds_no_drift(client: Client, flush: Flush, history: History) -> None:
    """Whatever was applied, records, leaves, rows, shape and names agree."""
    await flush()
    store = Store(client)
    for batch in history.batches:
        await store.apply(batch)
    await assert_no_drift(client, history.events)


@pytest.mark.parametrize("key_prefix", ["other:"])
@settings(max_examples=40)
@given(histories(), st.integers(0, 2**32))
async def test_order_batches_and_repetition_do_not_matter(
    client: Client, flush: Flush, history: History, seed: int
) -> None:
    """The same set of events gives the same answers, in whatever order and batches, and however often it comes."""
    rnd = Random(seed)
    events = history.events
    answers = []
    for batches in (cut(rnd, events, len(history.batches)), cut(rnd, disorder(rnd, events), 4)):
        await flush()
        store = Store(client)
        for batch in batches:
            await store.apply(batch)
        answers.append([await store.body(*query) for query in history.queries])
    assert answers[0] == answers[1]
