"""What belongs together, directly or by others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


def connected(count: int, pairs: Sequence[tuple[int, int]]) -> NDArray[np.int64]:
    """Number of the group of each of N things, of which pairs belong together."""
    a, b = np.array(pairs, dtype=int).reshape(-1, 2).T
    links = coo_array((np.ones(len(a)), (a, b)), shape=(count, count))
    return connected_components(links, directed=False)[1].astype(np.int64)
