"""Levels up to the deepest common ancestor, between places in a taxonomy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Path = tuple[str, ...]
"""Names from the root to a place."""


def paths_of(place: Sequence[Any]) -> list[Path]:
    """The paths of a place that is one path or several."""
    one = all(isinstance(name, str) for name in place)
    return [tuple(place)] if one else [tuple(path) for path in place]


def taxonomic_matrix(rows: list[list[Path]], columns: list[list[Path]]) -> NDArray[np.float64]:
    """Distances `[A, B]` of A and B places, each of one path or several: minima over pairs.

    The distance of two paths is the depth of the deeper one minus the number of levels they share.
    """
    a, b = ([path for paths in side for path in paths] for side in (rows, columns))
    depth_a, depth_b = (np.array([len(path) for path in paths]) for paths in (a, b))
    common = np.zeros((len(a), len(b)))
    for level in range(1, 1 + min(depth_a.max(), depth_b.max())):
        prefixes: dict[Path, int] = {}
        codes = [
            np.array([prefixes.setdefault(path[:level], len(prefixes)) for path in paths])
            for paths in (a, b)
        ]
        deep = (depth_a >= level)[:, None] & (depth_b >= level)
        common += deep & (codes[0][:, None] == codes[1])
    distance = np.maximum(depth_a[:, None], depth_b) - common
    first_a, first_b = (np.cumsum([0, *map(len, side[:-1])]) for side in (rows, columns))
    return np.minimum.reduceat(np.minimum.reduceat(distance, first_a, axis=0), first_b, axis=1)
