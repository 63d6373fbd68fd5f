"""How many examples a property test tries: a multiple of what the profile says, so that `make check` tries fewer."""

from hypothesis import settings


def examples(times: float) -> int:
    """Returns `times` the number of the profile in force: 100, or 20 with `--hypothesis-profile=check`."""
    return max(1, round(times * settings().max_examples))
