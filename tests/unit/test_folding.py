"""The fold of a batch: whatever way a record takes through it, what is sent of it is the same."""

import json
from collections import defaultdict
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

from aiokafka import TopicPartition
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.ingest.folding import RecordFold
from service.events.decoding import InvalidRecordError, decode
from service.events.event import JobDeletion, JobEvent, JobStatus, user_number
from service.store.layout.jobs import PACKED_JOB_BYTES, pack_deletions, pack_jobs
from service.store.layout.keys import stripe_of
from service.store.write.batch import ProjectBatch, fold, pack_user
from tests.examples import examples
from tests.unit.test_decoding import FIELDS, value_of

Event = JobEvent | JobDeletion
Record = tuple[bytes | None, bytes | None]
Sent = dict[tuple[int, str], tuple[set[bytes], set[bytes]]]

TP = TopicPartition("events", 0)


def _sent(stripes: dict[int, list[ProjectBatch]]) -> Sent:
    """What the script gets, by stripe and project: jobs and users."""
    sent: Sent = {}
    for stripe, projects in stripes.items():
        for each in projects:
            jobs = [each.jobs[at : at + PACKED_JOB_BYTES] for at in range(0, len(each.jobs), PACKED_JOB_BYTES)]
            assert len({job[:16] for job in jobs}) == len(jobs) == len(each)
            sent[stripe, each.project_id] = set(jobs), {each.users}
    return sent


def _version(event: JobEvent) -> tuple[int, ...]:
    """The order of a job's events, as docs/guarantees.md has it."""
    return (
        event.sequence,
        event.event_time_ms,
        event.status,
        event.start_time_ms,
        event.input_size_bytes,
        user_number(event.user_id),
    )


def _due(events: Iterable[Event]) -> dict[tuple[int, str], tuple[set[bytes], set[bytes]]]:
    """What must be sent of events: of a job its greatest version unless it is deleted, of a user the latest name."""
    jobs, names = defaultdict[str, dict[str, Event]](dict), defaultdict[str, dict[str, tuple[int, str]]](dict)
    for event in events:
        of_project = jobs[event.project_id]
        known = of_project.get(event.job_id)
        if isinstance(event, JobDeletion):
            of_project[event.job_id] = event
            continue
        if known is None or (isinstance(known, JobEvent) and _version(event) > _version(known)):
            of_project[event.job_id] = event
        named = names[event.project_id]
        named[event.user_id] = max(named.get(event.user_id, (-1, "")), (event.event_time_ms, event.user_name))
    return {
        (stripe_of(project), project): (
            {pack_deletions([each]) if isinstance(each, JobDeletion) else pack_jobs([each]) for each in found.values()},
            {pack_user(user, *named) for user, named in names[project].items()},
        )
        for project, found in jobs.items()
    }


def _split_users(sent: Sent, due: Sent) -> Sent:
    """The same with the users one by one; they are packed one after the other, in any order."""
    found = {}
    for of, (jobs, [users]) in sent.items():
        parts = sorted(due[of][1], key=users.find)
        found[of] = jobs, set(parts) if b"".join(parts) == users else {users}
    return found


def _decoded(records: Iterable[Record]) -> list[Event]:
    events = []
    for key, value in records:
        try:
            events.append(decode(key, value))
        except InvalidRecordError:
            continue
    return events


small = st.integers(0, 2)
fields = st.fixed_dictionaries(
    {
        "project_id": st.sampled_from(["p", "q"]),
        "job_id": st.sampled_from(["a", "b", FIELDS["job_id"]]),
        "user_id": st.sampled_from(["u", "v"]),
        "user_name": st.sampled_from(["n", "m", "é", "\u2028"]),
        "status": st.sampled_from([status.name for status in JobStatus]),
        "event_time": small,
        "start_time": small,
        "input_size": small,
        "sequence": st.none() | st.integers(1, 2),
    },
    optional={"unknown": st.sampled_from([[], "é"])},
)


@st.composite
def records(draw: st.DrawFn) -> Record:
    """A record of an event, most often a valid one; a deletion; one without a key, or with another job's."""
    changes: dict[str, Any] = draw(fields)
    key: bytes | None = f"{changes['project_id']}/{changes['job_id']}".encode()
    kind = draw(st.sampled_from(["event"] * 12 + ["deletion", "no key", "another key", "odd key", "broken"]))
    if kind == "deletion":
        return key, None
    if kind in {"no key", "another key", "odd key"}:
        key = {"no key": None, "another key": b"p/b", "odd key": b"p"}[kind]
    value = json.dumps({**FIELDS, **changes}, ensure_ascii=draw(st.booleans())).encode()
    return key, value[:-1] if kind == "broken" else value


@settings(max_examples=examples(3))
@given(st.lists(records(), max_size=12), st.booleans())
def test_what_is_sent_is_the_latest_of_each_job_and_user(sent: list[Record], is_split: bool) -> None:
    """By the fold of records, in one portion or in many, and by that of events."""
    folded = RecordFold()
    all_records = [
        SimpleNamespace(key=key, value=value, headers=[], offset=offset, timestamp=0)
        for offset, (key, value) in enumerate(sent)
    ]
    for portion in [[each] for each in all_records] if is_split else [all_records]:
        folded.add(TP, portion)
    events = _decoded(sent)
    due = _due(events)
    assert len(folded.dead_letters) == len(sent) - len(events)
    by_records, by_events = _sent(folded.stripes()), _sent(fold(events))
    assert _split_users(by_records, due) == _split_users(by_events, due) == due


def test_a_late_event_names_its_user_although_it_is_no_latest_event() -> None:
    """Whichever comes first: by sequence one is the latest of its job, by time the other names the user."""
    latest = value_of(sequence=3, event_time=1)
    late = value_of(sequence=2, event_time=2)
    key = f"{FIELDS['project_id']}/{FIELDS['job_id']}".encode()
    for values in ([latest, late], [late, latest]):
        folded = RecordFold()
        folded.add(TP, [SimpleNamespace(key=key, value=value, headers=[], offset=0, timestamp=0) for value in values])
        [[project]] = folded.stripes().values()
        assert project.users == pack_user(FIELDS["user_id"], 2, FIELDS["user_name"])
        [event] = [each for each in _decoded([(key, latest)]) if isinstance(each, JobEvent)]
        assert project.jobs == pack_jobs([event])
