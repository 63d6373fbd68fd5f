"""Makes Python's cyclic garbage collector run rarely: what the processes make in great numbers has no cycles."""

import gc


def look_rarely(young: int, older: int) -> None:
    """Exempts all present objects from collection, and collects only after `young` new objects.

    The programs call it once they have started. `young` and `older` are as in gc.set_threshold.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(young, older, older)
