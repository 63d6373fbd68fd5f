"""What a project's nodes say, each by itself and against what lies below it. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import pairwise

from service.events.event import MAX_MS, MAX_SIZE_BYTES, JobStatus
from service.store.layout.nodes import ENTRY_BYTES, LEAF_JOBS, ROW_BYTES
from service.store.layout.records import DELETED_STATUS
from service.store.layout.tree import CHILD_LEVEL, PARENT_LEVEL, Node

RECORD_BYTES = 32
COUNT_BYTES = {19: 1, 40: 4}
SIZE = -1  # the column of a user's bytes, beside those of the statuses

Sums = Counter[tuple[bytes, int]]  # by user key and column; a zero is as good as nothing
Content = Counter[bytes | tuple[bytes, int]]  # what a bottom node holds: entries, or the sums of a millisecond


def is_inner(string: bytes | None) -> bool:
    """Whether a node's string holds rows: an inner node, or one of level 0."""
    return bool(string) and string[:1] in ROW_BYTES  # type: ignore[index]  # not None where it is true


def possible_children(node: Node) -> Iterator[Node]:
    """All nodes that may lie right below one; none below level 0."""
    level, index = node
    if level > 0:
        child = CHILD_LEVEL[level]
        for number in range(index << (level - child), (index + 1) << (level - child)):
            yield child, number


def parent_of(node: Node) -> Node:
    """The node right above one that is not topmost."""
    level, index = node
    return PARENT_LEVEL[level], index >> (PARENT_LEVEL[level] - level)


def span_of(node: Node) -> range:
    """The start times that belong into a node."""
    level, index = node
    return range(index << level, (index + 1) << level)


def items_of(items: bytes, width: int) -> list[bytes]:
    """The whole items of a string without its marker."""
    return [items[at : at + width] for at in range(0, len(items) - width + 1, width)]


def are_ascending(items: list[bytes]) -> bool:
    """Whether items are sorted by the user key that they begin with, and none comes twice."""
    keys = [int.from_bytes(item[:6], "little") for item in items]
    return all(first < second for first, second in pairwise(keys))


def has_form(string: bytes) -> bool:
    """Whether a node's string is a marker and whole items, none or more."""
    return string[:1] in {b"L", *ROW_BYTES} and len(string) % ROW_BYTES.get(string[:1], ENTRY_BYTES) == 1


def sum_of(string: bytes) -> Sums:
    """What a node counts, from its rows or its entries; nothing if it has not the form of a node."""
    if not has_form(string):
        return Counter()
    if not is_inner(string):
        return sum_of_entries(items_of(string[1:], ENTRY_BYTES))
    sums: Sums = Counter()
    width = ROW_BYTES[string[:1]]
    number = COUNT_BYTES[width]
    for row in items_of(string[1:], width):
        for status in range(6):
            at = 6 + number * status
            sums[row[:6], status] += int.from_bytes(row[at : at + number], "little")
        sums[row[:6], SIZE] += int.from_bytes(row[6 + 6 * number :], "little")
    return sums


def sum_of_entries(entries: Iterable[bytes]) -> Sums:
    """What entries count."""
    sums: Sums = Counter()
    for entry in entries:
        sums[entry[14:20], entry[20]] += 1
        sums[entry[14:20], SIZE] += int.from_bytes(entry[7:14], "little")
    return sums


def content_of(node: Node, string: bytes) -> Content:
    """What a bottom node holds; nothing if it has not the form of one."""
    if node[0] == 0:
        return Counter(sum_of(string)) if is_inner(string) else Counter()
    return Counter(items_of(string[1:], ENTRY_BYTES)) if has_form(string) else Counter()


def content_of_records(node: Node, records: Iterable[bytes]) -> Content:
    """What a bottom node must hold of these jobs: of those that start in it and are not deleted."""
    span = span_of(node)
    entries = [record[11:] for record in records if contributes(record)]
    inside = [entry for entry in entries if int.from_bytes(entry[:7], "little") in span]
    return Counter(sum_of_entries(inside)) if node[0] == 0 else Counter(inside)


def contributes(record: bytes) -> bool:
    """Whether a record is one that can be, and its job is not deleted."""
    return is_record(record) and record[31] != DELETED_STATUS


def is_record(record: bytes) -> bool:
    """Whether a record is one that an event or a deletion can leave."""
    return (
        len(record) == RECORD_BYTES
        and (record[31] < len(JobStatus) or record[31] == DELETED_STATUS)
        and int.from_bytes(record[11:18], "little") <= MAX_MS
        and int.from_bytes(record[18:25], "little") <= MAX_SIZE_BYTES
    )


def form_problems(node: Node, string: bytes) -> Iterator[str]:
    """What is wrong with a node's string by itself."""
    rows = is_inner(string)
    width = ROW_BYTES.get(string[:1], ENTRY_BYTES)
    if not has_form(string) or (node[0] == 0 and not rows):
        yield f"is not a node of level {node[0]}: begins with {string[:1]!r}, {len(string)} bytes"
    if rows and not are_ascending(items_of(string[1:], width)):
        yield "has rows that are not sorted by user key"
    if not rows and len(string) > 1 + LEAF_JOBS * ENTRY_BYTES:
        yield f"is a leaf of more than {LEAF_JOBS} jobs"


def differing_users(one: Sums, other: Sums) -> set[bytes]:
    """Users whose sums are not the same."""
    return {user for user, column in one | other if one[user, column] != other[user, column]}
