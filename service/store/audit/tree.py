"""What a project's nodes say, each by itself and against what lies below it. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from itertools import pairwise

from service.events.event import JobStatus
from service.store.layout.nodes import (
    ENTRY_BYTES,
    LEAF_JOBS,
    Row,
    has_rows,
    is_whole,
    pack_rows,
    parse_entry,
    parse_rows,
    split_leaf,
)
from service.store.layout.records import entry_of, parse_record
from service.store.layout.tree import Node, span_of

SIZE = -1  # the column of a user's bytes, beside those of the statuses

Sums = Counter[tuple[bytes, int]]  # by user key and column; a zero is as good as nothing
Content = Counter[bytes | tuple[bytes, int]]  # what a bottom node holds: entries, or the sums of a millisecond


def is_inner(node: Node, string: bytes | None) -> bool:
    """Checks whether a node has others below it."""
    return node[0] > 0 and has_rows(string)


def sum_of(string: bytes) -> Sums:
    """Returns what a node counts, from its rows or its entries; nothing if it has not the form of a node."""
    if not is_whole(string):
        return Counter()
    if not has_rows(string):
        return sum_of_entries(split_leaf(string))
    sums: Sums = Counter()
    for user, jobs, size_bytes in parse_rows(string):
        for status, number in enumerate(jobs):
            sums[user, status] += number
        sums[user, SIZE] += size_bytes
    return sums


def sum_of_all(strings: Iterable[bytes]) -> Sums:
    """Returns what nodes count together."""
    sums: Sums = Counter()
    for string in strings:
        sums.update(sum_of(string))
    return sums


def sum_of_entries(entries: Iterable[bytes]) -> Sums:
    """Returns what entries count."""
    sums: Sums = Counter()
    for entry in map(parse_entry, entries):
        sums[entry.user, entry.status] += 1
        sums[entry.user, SIZE] += entry.size_bytes
    return sums


def pack_sums(sums: Sums, *, is_wide: bool) -> bytes:
    """Returns a node's string of rows that count this, without users who have no jobs."""
    by_user: defaultdict[bytes, Sums] = defaultdict(Counter)
    for (user, column), value in sums.items():
        if value:
            by_user[user][user, column] = value
    rows = [Row(user, tuple(of[user, status] for status in JobStatus), of[user, SIZE]) for user, of in by_user.items()]
    return pack_rows(rows, is_wide=is_wide)


def content_of(node: Node, string: bytes) -> Content:
    """Returns what a bottom node holds; nothing if it has not the form of one."""
    if not is_whole(string) or has_rows(string) != (node[0] == 0):
        return Counter()
    return Counter(sum_of(string)) if node[0] == 0 else Counter(split_leaf(string))


def content_of_records(node: Node, records: Iterable[bytes]) -> Content:
    """Returns what a bottom node must hold of these jobs: of those that start in it and are not deleted."""
    span = span_of(node)
    said = [(data, parse_record(data)) for data in records]
    entries = [entry_of(data) for data, record in said if record and not record.is_deleted and record.start_ms in span]
    return Counter(sum_of_entries(entries)) if node[0] == 0 else Counter(entries)


def digest_of(content: Content) -> int:
    """Returns a number that is the same for the same content alone; that of a sum is the sum of the numbers.

    It holds within one process, as Python's hashes do.
    """
    return sum(hash(item) * number for item, number in content.items())


def form_problems(node: Node, string: bytes) -> Iterator[str]:
    """Returns what is wrong with a node's string by itself."""
    rows = has_rows(string)
    if not is_whole(string) or (node[0] == 0 and not rows):
        yield f"is not a node of level {node[0]}: begins with {string[:1]!r}, {len(string)} bytes"
    if rows and not are_ascending([row.user for row in parse_rows(string)]):
        yield "has rows that are not sorted by user key"
    if not rows and len(string) > 1 + LEAF_JOBS * ENTRY_BYTES:
        yield f"is a leaf of more than {LEAF_JOBS} jobs"


def are_ascending(users: Iterable[bytes]) -> bool:
    """Checks whether user keys are sorted, and none comes twice."""
    numbers = [int.from_bytes(user, "little") for user in users]
    return all(first < second for first, second in pairwise(numbers))


def differing_users(one: Sums, other: Sums) -> set[bytes]:
    """Returns the users whose sums are not the same."""
    return {user for user, column in one | other if one[user, column] != other[user, column]}
