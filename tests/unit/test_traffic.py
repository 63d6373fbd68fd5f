"""The sample traffic: valid job lives, a daily rhythm, the same in each run, and a right recount."""

import re
from collections import defaultdict
from dataclasses import replace
from itertools import pairwise
from random import Random

import msgspec
import pytest

from deploy.traffic.flow import LIVE_JOBS_PER_SECOND, Traffic, activity
from deploy.traffic.lifecycle import DAY_MS, EventValue, Record, Submission, records_of_job
from deploy.traffic.population import PROJECTS, RENAMES
from deploy.traffic.tally import totals_by_project
from service.events.event import MAX_SIZE_BYTES, JobStatus

END_MS = 1_780_000_000_000
HOUR_MS = 3600 * 1000
SUNDAY_MS = 3 * DAY_MS  # the fourth of January 1970
NEXT_STATES = {
    "LAUNCHING": {"RUNNING", "CANCELING", "FAILED"},
    "RUNNING": {"CANCELING", "FAILED", "FINISHED"},
    "CANCELING": {"CANCELLED"},
    "FAILED": set(),
    "FINISHED": set(),
    "CANCELLED": set(),
}


@pytest.fixture(scope="module")
def traffic() -> Traffic:
    return Traffic(seed=7, history_end_ms=END_MS)


@pytest.fixture(scope="module")
def history(traffic: Traffic) -> list[Record]:
    return traffic.history()


def values_by_job(records: list[Record]) -> dict[str, list[EventValue]]:
    """The events of each job in the order they were published."""
    jobs: defaultdict[str, list[EventValue]] = defaultdict(list)
    for record in records:
        if record.value is not None:
            jobs[record.job_id].append(record.value)
    return jobs


def event(**changes: object) -> EventValue:
    """A valid event, with some fields changed."""
    value = EventValue(
        event_id="e1",
        event_time=1000,
        project_id="p",
        user_id="u",
        user_name="name",
        job_id="j",
        job_type="CNVKIT",
        status="RUNNING",
        start_time=900,
        input_size=10,
        sequence=2,
    )
    return msgspec.structs.replace(value, **changes)


def record(value: EventValue) -> Record:
    """The record that carries this event."""
    return Record(value.event_time, value.project_id, value.job_id, value)


def test_the_same_seed_gives_the_same_traffic(history: list[Record]) -> None:
    """Two generators with one seed publish the same records, ids included; another seed gives others."""
    assert Traffic(7, END_MS).history() == history
    assert Traffic(8, END_MS).history() != history


def test_history_is_in_order_and_over(history: list[Record]) -> None:
    """The history is about 60,000 records in the order of publication, none of them at or after its end."""
    published = [each.publish_ms for each in history]
    assert 50_000 < len(history) < 70_000
    assert published == sorted(published)
    assert published[-1] < END_MS
    assert END_MS - published[0] > 100 * DAY_MS


def test_every_event_is_within_bounds(history: list[Record]) -> None:
    """Ids, names, times and sizes are what consumers accept, and a record's ids are its event's."""
    for each in history:
        if each.value is not None:
            value = each.value
            assert (value.project_id, value.job_id) == (each.project_id, each.job_id)
            assert re.fullmatch("[0-9a-f]{32}", value.event_id)
            assert re.fullmatch("[0-9a-f]{32}", value.user_id)
            assert re.fullmatch("[A-Za-z0-9_-]{1,64}", value.project_id)
            assert re.fullmatch("[0-9a-f-]{36}", value.job_id)
            assert 0 <= value.start_time <= value.event_time <= each.publish_ms
            assert 0 <= value.input_size <= MAX_SIZE_BYTES


def test_jobs_go_from_state_to_state(history: list[Record]) -> None:
    """In the order of their sequence the events of a job are a legal life, and time does not go back."""
    for values in values_by_job(history).values():
        ordered = sorted(set(values), key=lambda value: value.sequence)
        for before, after in pairwise(ordered):
            if after.sequence == before.sequence + 1:
                assert after.status in NEXT_STATES[before.status]
            assert after.event_time > before.event_time


def test_history_has_all_that_happens_in_life(history: list[Record]) -> None:
    """There are duplicates, late events, deletions, corrected starts and sizes, renames and every state."""
    jobs = values_by_job(history).values()
    values = [value for job in jobs for value in job]
    assert len({value.event_id for value in values}) < len(values)
    once = [list(dict.fromkeys(job)) for job in jobs]
    assert any(job != sorted(job, key=lambda value: value.sequence) for job in once)
    assert any(each.value is None for each in history)
    assert any(len({value.start_time for value in job}) > 1 for job in jobs)
    assert any(len({value.input_size for value in job}) > 1 for job in jobs)
    names = {value.user_name for value in values}
    assert all(old in names and new in names for old, (new, _) in RENAMES.items())
    assert {value.status for value in values} == {status.name for status in JobStatus}
    assert {value.project_id for value in values} == {project.project_id for project in PROJECTS}


def test_jobs_in_flight_go_on_after_the_history() -> None:
    """What comes due after the history continues jobs of the history, and submits new ones at the live rate."""
    traffic = Traffic(7, END_MS)
    in_flight = {
        job_id
        for job_id, values in values_by_job(traffic.history()).items()
        if NEXT_STATES[max(values, key=lambda value: value.sequence).status]
    }
    live = traffic.due(END_MS + DAY_MS // 24)
    submitted = {each.job_id for each in live if each.value is not None and each.value.status == "LAUNCHING"}
    assert in_flight & {each.job_id for each in live}
    assert len(submitted - in_flight) == pytest.approx(3600 * LIVE_JOBS_PER_SECOND, rel=0.1)


def test_what_is_due_comes_once() -> None:
    """Asking often gives the same live records as asking once."""
    often, once = Traffic(7, END_MS), Traffic(7, END_MS)
    steps = [often.due(END_MS + at_ms) for at_ms in range(0, 60_001, 100)]
    assert [each for step in steps for each in step] == once.due(END_MS + 60_000)


def test_days_and_weeks_have_a_rhythm() -> None:
    """Nights are quieter than days, and Saturdays and Sundays than weekdays."""
    by_day = [activity(SUNDAY_MS + day * DAY_MS + 9 * HOUR_MS) for day in range(7)]
    assert by_day[0] == by_day[6] < by_day[1] == by_day[5] == 1.0
    assert activity(SUNDAY_MS + DAY_MS) < activity(SUNDAY_MS + DAY_MS + 9 * HOUR_MS)


def test_pace_shortens_jobs() -> None:
    """A job at sixty times the pace lives a sixtieth of the time."""
    project = PROJECTS[0]
    slow = Submission(project, project.users[0], "name", END_MS)
    lives = []
    for submission in (slow, replace(slow, pace=60.0)):
        values = [each.value for each in records_of_job(Random(3), submission) if each.value is not None]
        lives.append(max(value.event_time for value in values) - END_MS)
    assert lives[1] == pytest.approx(lives[0] / 60, rel=0.01)


@pytest.mark.parametrize(
    ("others", "state", "size"),
    [
        pytest.param([event(sequence=3, status="FINISHED", input_size=7)], "finished", 7, id="later sequence"),
        pytest.param([event(sequence=1, event_time=5000, status="FAILED")], "running", 10, id="older sequence"),
        pytest.param([event(event_time=1001, status="LAUNCHING")], "launching", 10, id="later time"),
        pytest.param([event(status="FAILED")], "failed", 10, id="same time, higher status"),
        pytest.param([event()], "running", 10, id="duplicate"),
    ],
)
def test_recount_takes_the_latest_event(others: list[EventValue], state: str, size: int) -> None:
    """A job counts once, as its latest event by sequence, time and status says, in any order."""
    for values in ([event(), *others], [*others, event()]):
        totals = totals_by_project(map(record, values))["p"]
        counts = {name: value for name, value in totals.items() if value and name != "total_input_size"}
        assert counts == {f"total_{state}_num": 1, "total_user_num": 1}
        assert totals["total_input_size"] == size


def test_recount_leaves_out_deleted_jobs() -> None:
    """A deleted job does not count, whatever comes before or after."""
    tombstone = Record(2000, "p", "j", None)
    kept = record(event(job_id="other"))
    totals = totals_by_project([record(event()), kept, tombstone, record(event(sequence=9))])
    assert totals["p"]["total_running_num"] == 1
