"""The command line: what it refuses, how it names a life again, and which failures it takes for the same."""

import os
import subprocess
from collections.abc import Sequence

import pytest

from tests.servers import PROJECT
from tests.simulation.child import Result
from tests.simulation.command import main
from tests.simulation.shrink import kind_of, repeating

_REFUSED: Sequence[tuple[Sequence[str], str]] = (
    (["abc"], "'abc' is no number"),
    (["-3"], "'-3' is no number"),
    (["3", "--faults", "99"], "seed 3 has the faults 0 to 10"),
    (["3", "--faults", "x"], "'x' is no number"),
    (["3", "--jobs", "0"], "0 is too few"),
    (["--processes", "0"], "0 is too few"),
    (["--minutes", "0"], "'0' is no time"),
    (["--shrink"], "are for given seeds"),
    (["--faults", "1"], "are for given seeds"),
    (["--without", "nonsense"], "'nonsense'"),
)


@pytest.mark.parametrize(("arguments", "words"), _REFUSED)
def test_refuses(arguments: Sequence[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Arguments that make no sense end the program with a usage and a line of what is wrong; no life begins."""
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    told = capsys.readouterr().err
    assert words in told
    assert len(told.splitlines()) == 2


@pytest.mark.parametrize(
    ("repeated", "options"),
    [
        (repeating(7, None, None, []), ["7"]),
        (repeating(7, [], 90, ["mark"]), ["7", "--faults", "", "--jobs", "90", "--without=mark"]),
        (repeating(7, [1, 4], None, ["mark", "fence"]), ["7", "--faults", "1,4", "--without=mark", "--without=fence"]),
    ],
)
def test_repeats_what_it_says(repeated: str, options: Sequence[str]) -> None:
    """The command that is printed runs the program with the same options; no faults are not all faults."""
    environment = {name: text for name, text in os.environ.items() if "MAKE" not in name}  # of the make that runs us
    ran = subprocess.run(  # noqa: S602 - what a shell is given
        f"{repeated} --dry-run", shell=True, cwd=PROJECT, env=environment, capture_output=True, text=True, check=True
    )
    last = ran.stdout.replace("\\\n", " ").split("-m tests.simulation", 1)[1].split("\n", 1)[0]
    words = subprocess.run(  # noqa: S602
        f"printf '%s\\n' {last.strip()}", shell=True, capture_output=True, text=True, check=True
    ).stdout.split("\n")[:-1]
    assert words[2:] == options


def _failed(call: str, says: str, edge: str = "") -> Result:
    return Result(
        1, f'{edge}File "a/recount.py", line 73, in check\n{edge}  {call}\n{edge}{says}\n{edge and "  +---"}\n'
    )


def test_kind_of_failure() -> None:
    """Failures are the same where they were raised in one place by one error; numbers and contents do not count."""
    kind = kind_of(_failed("assert", "AssertionError: (('efcd', 1), {})"))
    assert kind == kind_of(_failed("assert", "AssertionError: (('ab', 22), {})", "  | "))
    assert kind != kind_of(_failed("assert", "KeyError: 1"))
    assert kind_of(Result(1)) == ""
