"""Who is named, and when, against each other and against who has jobs. Pure."""

from service.store.audit.findings import Findings
from service.store.audit.tree import are_ascending, items_of
from service.store.layout.projects import NAMING_BYTES, parse_user, user_key
from service.store.write.batch import pack_user


def check_names(users: dict[bytes, bytes], times: bytes, findings: Findings) -> None:
    """The fields of `u` and the string `t` of one instant, which is later than all that the findings have seen."""
    items = items_of(times, NAMING_BYTES)
    named = {item[:6]: item for item in items}
    for user in sorted(findings.users - users.keys()):
        findings.add("u", f"lacks user {user.hex()}, who has jobs")
    for user in sorted(users.keys() ^ named.keys()):
        findings.add("t", f"{'lacks' if user in users else 'has a surplus'} user {user.hex()}")
    if len(times) % NAMING_BYTES or not are_ascending(items):
        findings.add("t", "is not sorted by user key")
    for user, value in sorted(users.items()):
        try:
            user_id, name = parse_user(value)
        except (UnicodeDecodeError, IndexError):
            findings.add("u", f"has no name that can be read of user {user.hex()}")
            continue
        if user_key(user_id) != user:
            findings.add("u", f"has user {user_id} under the key {user.hex()}")
        item = named.get(user)
        if item and item != pack_user(user_id, int.from_bytes(item[6:13], "little"), name)[:NAMING_BYTES]:
            findings.add("t", f"has another name of user {user_id} than u")
