"""The wardrobe: one set of images of garments, and one binary task per attribute value.

It plays the part of iMaterialist (Guo et al. 2019) in the paper: its tasks differ in nothing but
the labels, so that whatever tells them apart is not the images.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from t2v.libraries import Library
from t2v.libraries.worlds import provenance
from t2v.libraries.worlds.garments.attributes import ATTRIBUTES, Garments, sample_garments
from t2v.libraries.worlds.garments.images import cached_garments
from t2v.task import Task


class WardrobeSize(NamedTuple):
    """How large a wardrobe is at one scale.

    Attributes:
        train: number of training images.
        test: number of held-out images.
        groups: number of attribute groups, the first ones of `ATTRIBUTES`.
        values: largest number of values of a group that become tasks.
    """

    train: int
    test: int
    groups: int
    values: int


WARDROBE_SIZES = {
    "smoke": WardrobeSize(train=180, test=90, groups=4, values=3),
    "laptop": WardrobeSize(train=500, test=400, groups=7, values=6),
    "paper": WardrobeSize(train=8000, test=2000, groups=7, values=6),
}


def load(scale: str, seed: int) -> Library:
    """The library of garments; see `load_library`.

    Args:
        scale: `smoke` (12 tasks), `laptop` or `paper` (38 tasks each).
        seed: seed of the garments; the meaning of the attributes is the same for all seeds.

    Returns:
        The library; every task has the same tensor of images and the same held-out ones, the
        classes ("not VALUE", VALUE), and the lineage ("wardrobe", GROUP, VALUE).
    """
    size = WARDROBE_SIZES[scale]
    garments = wardrobe_garments(size.train, size.test, seed)
    images = cached_garments(garments)
    test = torch.arange(size.train + size.test) >= size.train
    values = {group: ATTRIBUTES[group][: size.values] for group in list(ATTRIBUTES)[: size.groups]}
    tasks = [
        Task(
            name=value,
            images=images,
            labels=(garments.values[group] == position).long(),
            classes=(f"not {value}", value),
            lineage=("wardrobe", group, value),
            group=group,
            test=test,
        )
        for group, names in values.items()
        for position, value in enumerate(names)
    ]
    taxonomy = {"wardrobe": {group: list(names) for group, names in values.items()}}
    return Library("wardrobe", tasks, taxonomy, provenance("Garments", tasks, scale, seed))


def wardrobe_garments(train: int, test: int, seed: int) -> Garments:
    """The garments of a wardrobe, training ones first; values are equally frequent in each part.

    Args:
        train: number of training garments.
        test: number of held-out garments.
        seed: seed of attributes and nuisances.
    """
    state = int(np.random.SeedSequence([seed, 0x3A2D]).generate_state(1, np.uint64)[0] >> 1)
    generator = torch.Generator().manual_seed(state)
    parts = [sample_garments(count, generator) for count in (train, test)]
    return Garments(
        {group: torch.cat([part.values[group] for part in parts]) for group in ATTRIBUTES},
        torch.cat([part.nuisances for part in parts]),
    )
