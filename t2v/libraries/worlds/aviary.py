"""The aviary: the birds of a world in other photographs; its orders and families are the tasks."""

from __future__ import annotations

import numpy as np

from t2v.libraries import Library
from t2v.libraries.worlds.creatures import pictures as creatures
from t2v.libraries.worlds.creatures.evolution import SIZES, World, world


def clades(here: World, limit: int) -> list[int]:
    """Orders of the birds, then their families of two species or more, largest first.

    A family that is the whole of its order is left out. At most ``limit`` clades; orders take at
    most half of them.
    """
    birds = here.class_named("birds")
    orders = here.tree.below(birds, "order")
    families = [
        i
        for i in here.tree.below(birds, "family")
        if len(here.species(i)) >= 2
        and len(here.species(i)) < len(here.species(here.tree.above(i, "order")))
    ]
    families.sort(key=lambda i: (-len(here.species(i)), i))
    orders = orders[: max(limit // 2, limit - len(families))]
    return orders + families[: limit - len(orders)]


def load(name: str = "aviary", scale: str = "laptop", seed: int = 0, data=None) -> Library:
    """The library of the birds' orders and families; see `load_library`.

    Lineages are those of the phylogeny of the same seed, so that one can ask which of its orders
    is nearest.
    """
    size = SIZES[scale]
    here = world(scale, seed)
    nodes = clades(here, size.aviary)
    rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, 17])))
    draw = np.exp(rng.normal(np.log(0.8 * size.train), 0.2, len(nodes)))
    train = [int(max(n, 8 * len(here.species(i)))) for i, n in zip(nodes, draw, strict=True)]
    tasks = creatures.tasks(here, nodes, train, size.test, "aviary", scale)
    return Library(
        name,
        tasks,
        here.taxonomy(here.class_named("birds")),
        {
            "source": "drawn by t2v.libraries (no photographs)",
            "licence": "CC BY 4.0",
            "seed": seed,
            "scale": scale,
            "images": sum(len(t) for t in tasks),
            "skipped": 0,
        },
    )
