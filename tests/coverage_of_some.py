"""Coverage of the tests of some folders: elsewhere a test mostly waits for servers, and measuring only slows it."""

from pathlib import Path

import pytest
from coverage import Coverage

FOLDERS = ("unit", "api", "library")


class CoverageOfSome:
    """Goes on measuring for tests of the folders, and pauses for others. A plugin, for runs under `coverage run`."""

    def __init__(self, coverage: Coverage, tests: Path) -> None:
        self._coverage = coverage
        self._folders = {tests / name for name in FOLDERS}
        self._goes_on = True

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Starts or stops before the first test of a folder is set up."""
        wanted = not self._folders.isdisjoint(item.path.parents)
        if wanted and not self._goes_on:
            self._coverage.start()
        elif self._goes_on and not wanted:
            self._coverage.stop()
        self._goes_on = wanted
