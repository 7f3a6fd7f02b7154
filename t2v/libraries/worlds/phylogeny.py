"""The phylogeny: the orders of a world; each task is to tell the species of one order."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

from t2v.libraries import Library
from t2v.libraries.worlds.creatures import pictures as creatures
from t2v.libraries.worlds.creatures.evolution import SIZES, Size, World, world


def load(name: str = "phylogeny", scale: str = "laptop", seed: int = 0, data=None):
    """The library of a world's orders: tell the species of one order; see `load_library`."""
    here = world(scale, seed)
    tree = here.tree
    counts = training_counts(here, SIZES[scale])
    tasks = creatures.tasks(here, here.orders, counts, SIZES[scale].test, "field", scale)
    return Library(
        name,
        tasks,
        here.taxonomy(),
        {
            "source": "drawn by t2v.libraries (no photographs)",
            "licence": "CC BY 4.0",
            "seed": seed,
            "scale": scale,
            "classes": [tree.name[i] for i in here.plan],
            "species": len(tree.of_rank("species")),
            "images": sum(len(t) for t in tasks),
            "skipped": 0,
        },
    )


def training_counts(here: World, size: Size) -> list[int]:
    """Training images of each order: quantiles of a log-normal, dealt out at random.

    So in every world a few orders have most of the images.
    """
    rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([here.seed, 11])))
    n = len(here.orders)
    deal = norm.ppf((rng.permutation(n) + 0.5) / n)
    draw = size.train * np.exp(size.spread * deal)
    least = [max(size.limits[0], 8 * len(here.species(i))) for i in here.orders]
    return [int(max(low, min(x, size.limits[1]))) for x, low in zip(draw, least, strict=True)]
