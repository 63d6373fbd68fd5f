"""Takes out one protection of the product, so that it shows whether a life notices.

A protection is a few pieces of the product's text, of a function in Python or of a script in Lua, and what comes in the
place of each. A piece that is not there exactly once is an error: the product has changed, and this module must follow.
"""

import inspect
import pkgutil
import sys
import textwrap
from hashlib import sha1
from types import FunctionType

from service.store.redis.script import Script
from tests.simulation.protections import PROTECTIONS


def take_out(name: str) -> None:
    """Takes a protection out of this process, for good; before any life begins."""
    for place, text in texts_without(name).items():
        _replace(pkgutil.resolve_name(place), text)


def texts_without(name: str) -> dict[str, str]:
    """Returns by place what takes the place of the product's texts. Raises AssertionError if a piece is not there."""
    texts: dict[str, str] = {}
    for place, piece, other in PROTECTIONS[name]:
        text = texts.get(place) or _text(pkgutil.resolve_name(place))
        assert text.count(piece) == 1, f"{place} has {text.count(piece)} times {piece!r}"
        texts[place] = text.replace(piece, other)
    return texts


def _text(target: Script | FunctionType) -> str:
    return target._text if isinstance(target, Script) else textwrap.dedent(inspect.getsource(target))


def _replace(target: Script | FunctionType, text: str) -> None:
    """Gives a script or a function another text; whoever has imported a function keeps the same one."""
    if isinstance(target, Script):
        target._text = text
        target.sha = sha1(text.encode(), usedforsecurity=False).hexdigest()
        return
    names: dict[str, FunctionType] = {}
    code = compile(text, f"<{target.__qualname__} without>", "exec", dont_inherit=True)
    exec(code, vars(sys.modules[target.__module__]), names)  # noqa: S102 - the product's own text but for a piece
    target.__code__ = names[target.__name__].__code__
