"""Python's cyclic garbage collector, told to look rarely: what the processes make in numbers has no cycles."""

import gc


def look_rarely(young: int, older: int) -> None:
    """Leaves alone what is there by now, and looks for cycles after `young` new objects: see gc.set_threshold."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(young, older, older)
