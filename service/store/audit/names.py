"""Who is named, and when, against each other and against who has jobs. Pure."""

from service.store.audit.findings import Findings
from service.store.audit.tree import are_ascending
from service.store.layout.projects import NAMING_BYTES, naming_digest, parse_namings, read_user, user_key


def check_names(users: dict[bytes, bytes], times: bytes, findings: Findings) -> None:
    """Compares the fields of `u` with the string `t`, both of one instant after all that the findings have seen."""
    namings = parse_namings(times)
    digests = {naming.user: naming.digest for naming in namings}
    for user in sorted(findings.users - users.keys()):
        findings.add("u", f"lacks user {user.hex()}, who has jobs")
    for user in sorted(users.keys() ^ digests.keys()):
        findings.add("t", f"{'lacks' if user in users else 'has a surplus'} user {user.hex()}")
    if len(times) % NAMING_BYTES or not are_ascending(naming.user for naming in namings):
        findings.add("t", "is not sorted by user key")
    for user, value in sorted(users.items()):
        named = read_user(value)
        if named is None:
            findings.add("u", f"has no name that can be read of user {user.hex()}")
            continue
        user_id, name = named
        if user_key(user_id) != user:
            findings.add("u", f"has user {user_id} under the key {user.hex()}")
        if user in digests and digests[user] != naming_digest(user_id, name):
            findings.add("t", f"has another name of user {user_id} than u")
