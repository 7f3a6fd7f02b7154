"""The aviary: the birds of a world by another camera; its tasks are their orders and families."""

from __future__ import annotations

import numpy as np

from t2v.libraries import Library
from t2v.libraries.worlds import provenance
from t2v.libraries.worlds.creatures.evolution import WORLD_SIZES, World, grow_world
from t2v.libraries.worlds.creatures.images import clade_tasks


def clades(world: World, limit: int) -> list[int]:
    """Nodes of the orders of birds, then of their families of two species or more, largest first.

    A family that is the whole of its order is left out.

    Args:
        world: the world whose birds they are.
        limit: largest number of clades; orders take at most half of them.
    """
    tree, birds = world.tree, world.class_named("birds")
    size = {i: len(world.species(i)) for i in tree.below(birds, "family")}
    families = [i for i in size if 2 <= size[i] < len(world.species(tree.above(i, "order")))]
    families.sort(key=lambda i: (-size[i], i))
    orders = tree.below(birds, "order")
    orders = orders[: max(limit // 2, limit - len(families))]
    return orders + families[: limit - len(orders)]


def load(scale: str, seed: int) -> Library:
    """The library of the orders and families of a world's birds; see `load_library`.

    Lineages are those of the phylogeny of the same seed, so that one can ask which of its orders
    is nearest.

    Args:
        scale: key of `WORLD_SIZES`.
        seed: seed of the world.
    """
    size = WORLD_SIZES[scale]
    world = grow_world(scale, seed)
    nodes = clades(world, size.aviary)
    rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, 17])))
    counts = np.exp(rng.normal(np.log(0.8 * size.train), 0.2, len(nodes)))
    least = [8 * len(world.species(i)) for i in nodes]
    train = [int(max(count, low)) for count, low in zip(counts, least, strict=True)]
    tasks = clade_tasks(world, nodes, train, size.test, "aviary", scale)
    taxonomy = world.taxonomy(world.class_named("birds"))
    facts = provenance("Birds of a procedural world", tasks, scale, seed)
    return Library("aviary", tasks, taxonomy, facts)
