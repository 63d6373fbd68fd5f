"""Keeps the names of a project's users in the order of answers, and finds who is new or renamed. Pure, no I/O."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from sys import getsizeof
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.store.layout.projects import NAMING_BYTES, naming_digest, parse_user
from service.store.layout.widths import NAMING_DIGEST, NAMING_KEY
from service.store.read.sums import Sums
from service.store.read.users import Users
from service.store.redis.views import DamagedError

Numbers = NDArray[np.uint64]

_USER_BYTES = 178  # that a user takes beside the texts: a tuple, and items of lists and arrays
_MANY = 8  # if more than one name in this many changes, all names are sorted anew


class _User(NamedTuple):
    """A user; answers list users in the order of these tuples: by name, then by id."""

    name: str
    user_id: str


class Namings(NamedTuple):
    """The namings of a project: user keys, ascending, and the digest of each user's id and name."""

    keys: Numbers
    digests: Numbers


def parse_namings(data: bytes) -> Namings:
    """Returns the namings of a project's string `t`; raises ValueError if it has a length that no such string has."""
    items = np.frombuffer(data, np.uint8).reshape(-1, NAMING_BYTES)
    return Namings(_numbers(items[:, NAMING_KEY]), _numbers(items[:, NAMING_DIGEST]))


def _numbers(columns: NDArray[np.uint8]) -> Numbers:
    words = np.zeros((len(columns), 8), np.uint8)
    words[:, :6] = columns
    return words.view("<u8")[:, 0]


class Names:
    """Ids and names of users as they were last fetched, sorted both by user key and in the order of answers.

    `names_id` is the names id at which the project had exactly these names, b"" while some are of another. Users that
    the project no longer has do no harm, since answers list only users with jobs.
    """

    def __init__(self, names_id: bytes = b"", users: Mapping[bytes, bytes] | None = None) -> None:
        self._names: tuple[NDArray[np.object_], list[str]] | None = None
        self._replace([])
        self.update(users or {})
        self.names_id = names_id

    def __len__(self) -> int:
        return len(self._users)

    @property
    def size_bytes(self) -> int:
        """Returns about how many bytes the names take."""
        return self._size_bytes

    def lacking(self, namings: Namings) -> list[bytes]:
        """Returns the keys of those users of a view who are not known, or known by another name."""
        if not len(self):
            lacking = namings.keys
        elif np.array_equal(namings.keys, self._keys):
            lacking = namings.keys[namings.digests != self._digests]
        else:
            at = self._keys.searchsorted(namings.keys)
            is_held = np.logical_and(
                self._keys.take(at, mode="clip") == namings.keys,
                self._digests.take(at, mode="clip") == namings.digests,
            )
            lacking = namings.keys[~is_held]
        return [key.to_bytes(6, "little") for key in lacking.tolist()]

    def update(self, users: Mapping[bytes, bytes]) -> None:
        """Adds or renames users, given by user key as `u` holds them. Raises DamagedError, and then changes nothing."""
        changes = sorted((int.from_bytes(key, "little"), _parse(key, value)) for key, value in users.items())
        if not changes:
            return
        self.names_id = b""
        self._names = None
        if len(changes) * _MANY > len(self):
            known = dict(zip(self._keys.tolist(), self._users, strict=True))
            self._replace(sorted({**known, **dict(changes)}.items()))
            return
        keys = np.array([key for key, _ in changes], np.uint64)
        at = self._keys.searchsorted(keys)
        is_known = (self._keys.take(at, mode="clip") == keys).tolist()
        positions = at.tolist()
        renamed = [(positions[n], user) for n, (_, user) in enumerate(changes) if is_known[n]]
        fresh = [(positions[n], *change) for n, change in enumerate(changes) if not is_known[n]]
        self._take_out(self._users[position] for position, _ in renamed)
        self._size_bytes += sum(_size_bytes(user) for _, user in changes)
        self._size_bytes -= sum(_size_bytes(self._users[position]) for position, _ in renamed)
        for position, user in renamed:
            self._users[position] = user
            self._digests[position] = _digest(user)
        moved = np.array([position for position, _, _ in fresh], np.intp)
        renamed = [(position + int(moved.searchsorted(position, "right")), user) for position, user in renamed]
        self._add_users(fresh, moved)
        self._put_in([*renamed, *((position + n, user) for n, (position, _, user) in enumerate(fresh))])

    def listed(self, sums: Sums) -> tuple[NDArray[np.intp], list[str]]:
        """Returns the positions and the names of the users who have jobs, in the order of answers."""
        jobs = np.add.reduce(sums.jobs)
        names, every = self._listed_names()
        if np.count_nonzero(jobs) == len(every):
            return self._order, every
        have_jobs: NDArray[np.bool_] = jobs[self._order] > 0
        return self._order[have_jobs], names[have_jobs].tolist()

    def with_name(self, name: str) -> Callable[[Numbers], NDArray[np.bool_]]:
        """Returns what tells of user keys whether they are of users who have this name now.

        It raises UnknownUserError for the key of a user who is not known.
        """
        first, last = (bisect_left(self._sorted, _User(each, "")) for each in (name, name + "\0"))
        users, has_name = self.users, np.zeros(len(self), np.bool_)
        has_name[self._order[first:last]] = True
        return lambda keys: has_name[users.places(keys.view(np.int64))]

    def _listed_names(self) -> tuple[NDArray[np.object_], list[str]]:
        """Returns all names in the order of answers, twice; they are made once after each change.

        They are copies, which lie in memory in the order in which a body is made from them: that takes a quarter less.
        """
        if self._names is None:
            names = [user.name.encode().decode() for user in self._sorted]
            self._names = np.array(names, object), names
        return self._names

    def _replace(self, users: list[tuple[int, _User]]) -> None:
        self._users = [user for _, user in users]
        self._size_bytes = sum(map(_size_bytes, self._users))
        self._keys = np.array([key for key, _ in users], np.uint64)
        self._digests = np.array([_digest(user) for user in self._users], np.uint64)
        self._order = np.array(sorted(range(len(users)), key=self._users.__getitem__), np.intp)
        self._sorted = [self._users[at] for at in self._order.tolist()]
        self.users = Users(self._keys)

    def _take_out(self, users: Iterable[_User]) -> None:
        """Removes users from the order of answers."""
        places = sorted(bisect_left(self._sorted, user) for user in users)
        for place in reversed(places):
            del self._sorted[place]
        self._order = np.delete(self._order, np.array(places, np.intp))

    def _add_users(self, fresh: list[tuple[int, int, _User]], moved: NDArray[np.intp]) -> None:
        """Inserts users before those at their positions; those and all behind them move up."""
        if not fresh:
            return
        for position, _, user in reversed(fresh):
            self._users.insert(position, user)
        self._keys = np.insert(self._keys, moved, [key for _, key, _ in fresh])
        self._digests = np.insert(self._digests, moved, [_digest(user) for _, _, user in fresh])
        self._order += moved.searchsorted(self._order, "right")
        self.users = Users(self._keys)

    def _put_in(self, users: list[tuple[int, _User]]) -> None:
        """Inserts users, given with their positions, into the order of answers."""
        users.sort(key=lambda each: each[1])
        places = [bisect_left(self._sorted, user) for _, user in users]
        for place, (_, user) in zip(reversed(places), reversed(users), strict=True):
            self._sorted.insert(place, user)
        self._order = np.insert(self._order, np.array(places, np.intp), [position for position, _ in users])


def _parse(key: bytes, value: bytes) -> _User:
    try:
        user_id, name = parse_user(value)
    except (IndexError, UnicodeDecodeError) as error:
        raise DamagedError("u", f"has no user under {key.hex()}: {error}") from error
    return _User(name, user_id)


def _size_bytes(user: _User) -> int:
    return _USER_BYTES + getsizeof(user.user_id) + 2 * getsizeof(user.name)  # there is a copy in the order of answers


def _digest(user: _User) -> int:
    return int.from_bytes(naming_digest(user.user_id, user.name), "little")
