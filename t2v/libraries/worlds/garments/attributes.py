"""Attributes of garments, in groups, and the nuisances beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "category": ("top", "dress", "gown", "jumpsuit", "playsuit", "coat"),
    "colour": ("red", "yellow", "green", "blue", "black", "white"),
    "pattern": ("plain", "striped", "checked", "dotted", "floral", "zigzag"),
    "material": ("cotton", "denim", "knit", "satin", "fur", "sequins"),
    "neckline": ("round neck", "V-neck", "square neck", "turtleneck", "collar"),
    "sleeve": ("sleeveless", "short sleeves", "long sleeves", "bell sleeves", "puff sleeves"),
    "detail": ("belt", "buttons", "pockets", "ruffles"),
}
"""Attribute groups and their values: a garment has one value of each group, drawn independently."""

NUISANCES = (
    *("tilt", "zoom", "across", "down", "sway", "sway_phase", "shear", "waist", "hem", "flare"),
    *("left_arm", "right_arm", "length", "girth", "neck", "hue", "saturation", "value"),
    *("second_hue", "second_value", "third_hue", "pattern_size", "pattern_phase", "pattern_turn"),
    *("fold_count", "fold_phase", "fold_depth", "crease_turn", "crease_phase", "light"),
    *("place", "place_hue", "place_saturation", "place_value", "place_phase", "place_size"),
    *("exposure", "warmth", "tint", "vignette", "grain", "blur", "seed"),
    *("detail_place", "detail_hue"),
)
"""Names of the uniform numbers that make two garments of the same attributes differ."""


@dataclass(frozen=True)
class Garments:
    """N garments, described by numbers.

    Attributes:
        values: position of the value in `ATTRIBUTES`, int64 `[N]`, by attribute group.
        nuisances: float32 `[N, len(NUISANCES)]` in [0, 1).
    """

    values: Mapping[str, Tensor]
    nuisances: Tensor

    def __len__(self) -> int:
        return len(self.nuisances)

    def __getitem__(self, name: str) -> Tensor:
        """One nuisance, `[N, 1, 1]`: a parameter of `t2v.libraries.worlds.drawing.shapes`."""
        return self.nuisances[:, NUISANCES.index(name), None, None]

    def between(self, name: str, low: float, high: float) -> Tensor:
        """One nuisance, scaled to [low, high), `[N, 1, 1]`."""
        return low + (high - low) * self[name]

    def table(self, group: str, rows: Mapping[str, Sequence[float]]) -> list[Tensor]:
        """Columns of a table with one row per value of a group, each looked up: `[N, 1, 1]`."""
        table = torch.tensor([rows[value] for value in ATTRIBUTES[group]])
        return [column[:, None, None] for column in table[self.values[group]].unbind(1)]

    def has(self, group: str, *values: str) -> Tensor:
        """Whether each garment has one of these values of a group: bool `[N, 1, 1]`."""
        wanted = torch.tensor([value in values for value in ATTRIBUTES[group]])
        return wanted[self.values[group]][:, None, None]

    def take(self, index: Tensor | slice) -> Garments:
        """The garments at some positions, given as integers, a bool mask `[N]` or a slice."""
        return Garments(
            {g: value[index] for g, value in self.values.items()}, self.nuisances[index]
        )


def sample_garments(count: int, generator: torch.Generator) -> Garments:
    """Garments with independent attributes, every value equally frequent."""
    values = {
        group: torch.randperm(count, generator=generator) % len(names)
        for group, names in ATTRIBUTES.items()
    }
    return Garments(values, torch.rand(count, len(NUISANCES), generator=generator))
