"""`python -m tests.simulation`: lives lives of seeds, says which failed, and shrinks those that do."""

import ctypes
import os
import sys

from tests.simulation import machine

_NO_RANDOM_ADDRESSES = 0x0040000  # personality(2): ADDR_NO_RANDOMIZE


def _settle() -> None:
    """Starts the program anew so that hashes, and with them the order in sets, are the same in each run.

    Python's hash of text has a seed. Its hash of None is an address, as is that of most objects.
    """
    if os.environ.get("PYTHONHASHSEED") != "0":
        os.environ["PYTHONHASHSEED"] = "0"
        ctypes.CDLL(None).personality(_NO_RANDOM_ADDRESSES)
        os.execv(sys.executable, [sys.executable, "-m", "tests.simulation", *sys.argv[1:]])  # noqa: S606 - this program


if __name__ == "__main__":
    _settle()
    machine.install()
    from tests.simulation.command import main  # what it imports keeps functions of `time`

    sys.exit(main(sys.argv[1:]))
