"""The colours of the six states: seen on their ground, and told apart by those who lack one kind of cone."""

import re
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

_TOKENS = (Path(__file__).parents[2] / "service" / "console" / "style" / "tokens.css").read_text()
_STATES = ("launching", "running", "canceling", "failed", "finished", "cancelled")
# What is left of colours without red, green or blue cones, in linear RGB: Machado, Oliveira and Fernandes, 2009.
_SIGHTS = {
    "all cones": np.eye(3),
    "no red": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "no green": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]]
    ),
    "no blue": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]]
    ),
}
# Oklab: distances in it are those that people see.
_CONES = np.array(
    [[0.41222147, 0.53633254, 0.05144599], [0.2119035, 0.6806995, 0.10739696], [0.08830246, 0.28171884, 0.6299787]]
)
_LAB = np.array(
    [[0.21045426, 0.79361779, -0.00407205], [1.9779985, -2.42859221, 0.45059371], [0.0259040, 0.78277177, -0.80867577]]
)
_LEAST_DISTANCE = 0.09  # two neighbours of a good palette; below 0.05 they are taken for one another

Colour = NDArray[np.float64]


def colours(theme: str) -> dict[str, Colour]:
    """All colours of a theme, in linear RGB."""
    light, dark = _TOKENS.split(':root[data-theme="dark"]', 1)
    text = light if theme == "light" else dark.split("}", 1)[0]
    found = dict(re.findall(r"--([\w-]+): #([0-9a-f]{6});", text))
    return {name: _linear(code) for name, code in found.items()}


def _linear(code: str) -> Colour:
    share = np.array([int(code[at : at + 2], 16) / 255 for at in (0, 2, 4)])
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def contrast(one: Colour, other: Colour) -> float:
    """The ratio of WCAG 2."""
    low, high = sorted(float(colour @ (0.2126, 0.7152, 0.0722)) for colour in (one, other))
    return (high + 0.05) / (low + 0.05)


def _lab(colour: Colour, sight: Colour) -> Colour:
    seen = np.clip(sight @ colour, 0, 1)
    return np.asarray(_LAB @ np.cbrt(_CONES @ seen))


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("ground", ["ground", "surface"])
def test_marks_stand_out(theme: str, ground: str) -> None:
    """WCAG asks for 3 of what is no text."""
    known = colours(theme)
    assert {state: contrast(known[f"status-{state}"], known[ground]) >= 3 for state in _STATES} == dict.fromkeys(
        _STATES, True
    )


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("sight", _SIGHTS)
def test_each_two_differ(theme: str, sight: str) -> None:
    """Also without one kind of cone."""
    known = colours(theme)
    seen = {state: _lab(known[f"status-{state}"], _SIGHTS[sight]) for state in _STATES}
    distances = {pair: float(np.linalg.norm(seen[pair[0]] - seen[pair[1]])) for pair in combinations(_STATES, 2)}
    assert min(distances.values()) >= _LEAST_DISTANCE, min(distances, key=distances.__getitem__)
