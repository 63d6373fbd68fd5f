"""The console's libraries are made of the packages that the lock file names, and of nothing else."""

import shutil
from pathlib import Path

from deploy.console.vendor import VENDOR, digests, vendor
from tests.conftest import require_part


def test_the_same_packages_give_the_same_bytes(tmp_path: Path) -> None:
    """`make vendor` changes nothing, wherever and whenever it is run."""
    require_part(shutil.which("npm") is not None, "npm, which gets the console's libraries")
    vendor(tmp_path)
    assert digests(tmp_path) == digests(VENDOR)
    assert (tmp_path / "versions.json").read_bytes() == (VENDOR / "versions.json").read_bytes()
