"""Finds the users of a project by their keys. Pure, no I/O."""

from collections.abc import Sequence
from itertools import count

import numpy as np
from numpy.typing import NDArray

from service.store.redis.views import DamagedError

Numbers = NDArray[np.int64]
Places = NDArray[np.intp]
_numbers = count()


class UnknownUserError(DamagedError):
    """A node counts jobs of a user that is not among the users of its project."""

    def __init__(self) -> None:
        super().__init__("u", "lacks a user who has jobs")


class Users:
    """The user keys of a project as numbers, ascending; it finds the place of each among the rows of sums.

    No other object has the same `number`: what is remembered with it is about these users.
    """

    def __init__(self, keys: Sequence[int] | NDArray[np.uint64]) -> None:
        self._keys = np.array(keys, np.int64)
        self.number = next(_numbers)

    def __len__(self) -> int:
        return len(self._keys)

    def places(self, keys: Numbers) -> Places:
        """Returns the places of the users with these keys; raises UnknownUserError."""
        places: Places = self._keys.searchsorted(keys)
        if len(keys) and (not len(self) or np.count_nonzero(self._keys.take(places, mode="clip") != keys)):
            raise UnknownUserError
        return places
