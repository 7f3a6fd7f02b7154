"""The phylogeny: the orders of a world; each task is to tell apart the species of one order."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

from t2v.libraries import Library
from t2v.libraries.worlds import provenance
from t2v.libraries.worlds.creatures.evolution import WORLD_SIZES, World, WorldSize, grow_world
from t2v.libraries.worlds.creatures.images import clade_tasks


def load(scale: str, seed: int) -> Library:
    """The library of the orders of a world; see `load_library`.

    Args:
        scale: key of `WORLD_SIZES`.
        seed: seed of the world.
    """
    world, size = grow_world(scale, seed), WORLD_SIZES[scale]
    counts = training_counts(world, size)
    tasks = clade_tasks(world, world.orders, counts, size.test, "field", scale)
    facts = provenance("Creatures of a procedural world", tasks, scale, seed)
    return Library("phylogeny", tasks, world.taxonomy(), facts)


def training_counts(world: World, size: WorldSize) -> list[int]:
    """Number of training images of each order: quantiles of a log-normal, in random order.

    So in every world a few orders have most of the images.

    Args:
        world: the world with its O orders.
        size: median, spread and limits of the numbers.

    Returns:
        O numbers, each at least 8 per species.
    """
    rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([world.seed, 11])))
    n = len(world.orders)
    quantiles = norm.ppf((rng.permutation(n) + 0.5) / n)
    counts = size.train * np.exp(size.spread * quantiles)
    least = [max(size.limits[0], 8 * len(world.species(i))) for i in world.orders]
    return [int(max(low, min(x, size.limits[1]))) for x, low in zip(counts, least, strict=True)]
