"""What a consumer loads: memory that it does not need is not taken."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("arguments", [[], ["--help"]], ids=["consumer", "help"])
def test_a_consumer_starts_without_numpy(arguments: list[str]) -> None:
    """Only the API adds up rows; audits and repairs count without it."""
    program = f"""
import sys
sys.argv[1:] = {arguments}
import consumers.__main__, consumers.consumer
if sys.argv[1:]:
    try:
        consumers.__main__.main()
    except SystemExit:
        pass
assert "numpy" not in sys.modules
"""
    ended = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)  # noqa: S603
    assert ended.returncode == 0, ended.stderr
