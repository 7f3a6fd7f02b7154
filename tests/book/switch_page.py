"""Two small maps of the same tasks, for tests of the fragment and for those in a browser."""

import numpy as np
from scipy.spatial.distance import pdist, squareform

from t2v.book.map_switch import Layout, map_switch

GROUPS = ["birds"] * 5 + ["colour"] * 4 + ["beasts"] * 3
NAMES = [f"{group} {i}" for i, group in enumerate(GROUPS)]
NAMES[2] = "</script><b>bold</b> & co"
ASKED, SHOWN = np.random.default_rng(0).normal(size=(2, len(NAMES), 2))
ONE_SPOT = [5, 6, 7, 8]  # the colours: no two of them differ in their images


def distances() -> tuple[np.ndarray, np.ndarray]:
    """Distances `[N, N]` on either map."""
    asked, shown = (squareform(pdist(points)) for points in (ASKED, SHOWN))
    shown[ONE_SPOT] = shown[5]
    shown[:, ONE_SPOT] = shown[:, [5]]
    return asked, shown


def strips() -> dict[int, list[tuple[str, np.ndarray]]]:
    """For all tasks but the last, an image of its own and one that all show."""
    common = np.full((3, 8, 8), 250, np.uint8)
    own = [np.full((3, 8, 8), 20 * i, np.uint8) for i in range(len(NAMES) - 1)]
    return {i: [("other", common), (f"class <{i}>", image)] for i, image in enumerate(own)}


def switch(**more):
    """The fragment with everything that it can show."""
    asked, shown = distances()
    given = {
        "strips": strips(),
        "notes": [f"{i} classes" for i in range(len(NAMES))],
        "credits": ["Photographs by A & B (CC BY 4.0)"] * 6 + ["Drawn"] * 6,
        "links": ["https://example.org/set"] * 6 + [""] * 6,
    }
    return map_switch(
        NAMES,
        GROUPS,
        [
            Layout("by what is asked", ASKED, asked, note="first note"),
            Layout("by what is shown", SHOWN, shown, note="second note"),
        ],
        **given | more,
    )
