"""What of a request an answer may depend on, however the request is kept."""

from typing import Protocol

from multidict import CIMultiDictProxy


class Asking(Protocol):
    """A request, as the library gives it to handlers, or as its parser does."""

    @property
    def method(self) -> str:
        """Returns its method."""
        ...

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        """Returns its headers."""
        ...
