"""The console script `gene-statistics-api`, which is the program `python -m service`."""

import runpy


def main() -> None:
    """Runs the program, which ends with SystemExit; it takes signals before it imports what takes long."""
    runpy.run_module("service", run_name="__main__")
