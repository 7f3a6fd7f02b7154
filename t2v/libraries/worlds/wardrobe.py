"""The wardrobe: one set of garment pictures, and one binary task per attribute value.

It plays the part of iMaterialist (Guo et al. 2019) in the paper: tasks that differ in nothing but
the labels, so that whatever tells them apart is not the images.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from t2v.libraries import Library
from t2v.libraries.worlds.garments.attributes import ATTRIBUTES, Garments, sample_garments
from t2v.libraries.worlds.garments.shape import kept_garments
from t2v.task import Task

# Per scale: training images, held-out images, groups, and values of each group that become tasks.
SCALES = {
    "smoke": (180, 90, 4, 3),
    "laptop": (500, 400, 7, 6),
    "paper": (8000, 2000, 7, 6),
}
SIZE = 48  # pixels, those of the probe `synthetic`


def load(
    name: str = "wardrobe", scale: str = "laptop", seed: int = 0, data: str | Path | None = None
) -> Library:
    """Draw the wardrobe.

    Args:
        name: of the library.
        scale: `smoke` (12 tasks), `laptop` or `paper` (38 tasks each).
        seed: of the garments; the attributes' meaning is the same for all seeds.
        data: not used, nothing is on disk.

    Returns:
        The library; every task has the same tensor of images and the same held-out ones, the
        classes ("not VALUE", VALUE), the lineage ("wardrobe", GROUP, VALUE).
    """
    train, held_out, groups, values = SCALES[scale]
    garments = wardrobe_garments(train, held_out, seed)
    images = kept_garments(garments, SIZE)
    test = torch.arange(train + held_out) >= train
    chosen = {group: ATTRIBUTES[group][:values] for group in list(ATTRIBUTES)[:groups]}
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
        for group, names in chosen.items()
        for position, value in enumerate(names)
    ]
    provenance = {
        "source": "drawn by t2v.libraries.worlds.wardrobe",
        "licence": "that of the project",
        "scale": scale,
        "seed": seed,
        "images": train + held_out,
        "held out": held_out,
        "tasks": len(tasks),
        "skipped": 0,
    }
    taxonomy = {"wardrobe": {group: list(names) for group, names in chosen.items()}}
    return Library(name, tasks, taxonomy, provenance)


def wardrobe_garments(train: int, held_out: int, seed: int) -> Garments:
    """The garments of a wardrobe: training ones first, each part with its values even."""
    state = int(np.random.SeedSequence([seed, 0x3A2D]).generate_state(1, np.uint64)[0] >> 1)
    generator = torch.Generator().manual_seed(state)
    parts = [sample_garments(count, generator) for count in (train, held_out)]
    return Garments(
        {group: torch.cat([part.values[group] for part in parts]) for group in ATTRIBUTES},
        torch.cat([part.nuisances for part in parts]),
    )
