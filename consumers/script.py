"""The console script `gene-statistics-consumer`, which is the program `python -m consumers`."""

import runpy


def main() -> None:
    """Runs the program, which ends with SystemExit; it takes signals before it imports what takes long."""
    runpy.run_module("consumers", run_name="__main__")
