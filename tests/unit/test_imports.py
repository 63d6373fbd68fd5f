"""What the processes load: memory and threads that they do not need are not taken."""

import os
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


@pytest.mark.skipif(os.cpu_count() == 1, reason="on one core numpy starts no threads anyway")
@pytest.mark.parametrize(("chosen", "threads"), [({}, 1), ({"OPENBLAS_NUM_THREADS": "2"}, 2)], ids=["unset", "set"])
def test_the_numpy_of_an_api_starts_no_threads(chosen: dict[str, str], threads: int) -> None:
    """They would spin between questions; who sets the variable gets as many as that says."""
    program = "import os, service.__main__; print(len(os.listdir('/proc/self/task')))"
    inherited = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    command = [sys.executable, "-c", program]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, env=inherited | chosen)  # noqa: S603
    assert (ended.stdout.strip(), ended.stderr) == (str(threads), "")
