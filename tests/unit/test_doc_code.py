"""The Python code in the documents has types that fit, so its names, arguments and results are there."""

import re
import subprocess
import sys
from pathlib import Path
from textwrap import indent

import pytest

from tests.docs import PROJECT, present

# What a document may leave to its reader.
_GIVEN = """
import asyncio
from typing import Any

from aiokafka import AIOKafkaProducer

from gene_statistics import EventPublisher, JobEvent, StatisticsClient

AsyncConnection = Any  # of psycopg, which is not installed for the tests
TAKE_SOME: str
project_id: str
token: str
event: JobEvent

async def login() -> str: ...
"""


def blocks() -> dict[str, str]:
    """The blocks of Python by the document and their number in it."""
    found = {}
    for path, text in present().items():
        for number, code in enumerate(re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)):
            found[f"{path} {number}"] = code
    return found


def test_code_in_documents(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    """All blocks are checked at once, each as the body of a coroutine function."""
    functions = (
        f"async def block_{number}() -> None:  # {name}\n{indent(code, '    ')}"
        for number, (name, code) in enumerate(blocks().items())
    )
    module = tmp_path / "documents.py"
    module.write_text("\n\n".join([_GIVEN, *functions]))
    assert blocks()
    command = [sys.executable, "-m", "mypy", "--strict", "--disable-error-code=empty-body", str(module)]
    checked = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)  # noqa: S603 - a tool
    assert checked.returncode == 0, checked.stdout + checked.stderr
