"""Body plans: which traits the creatures of a class have, their ranges, and how fast they evolve.

A trait evolves as a latent number z without bounds (Brownian motion, `evolution`). Its phenotype is
``low + (high - low) / (1 + exp(-(z + centre)))``; that of a hue is ``low + high * z`` turns.
``rate`` is the trait's typical rate in the class; a world multiplies it by factors of its clades.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class Trait:
    """One trait and the range of its phenotype.

    Attributes:
        name: its key in a phenotype.
        low: its phenotype for z -> -inf; of a hue, that at z = 0.
        high: its phenotype for z -> +inf; of a hue, the change per unit of z.
        centre: number added to z.
        rate: variance gained per unit of time, relative to other traits.
        hue: whether it is a hue, in turns.
    """

    name: str
    low: float
    high: float
    centre: float = 0.0
    rate: float = 1.0
    hue: bool = False

    def phenotype(self, z: np.ndarray) -> np.ndarray:
        """The phenotype of latent values, an array of the same shape."""
        if self.hue:
            return self.low + self.high * z
        return self.low + (self.high - self.low) / (1 + np.exp(-(z + self.centre)))


Range = tuple[float, float]

# Pattern and surroundings, for all plans; a plan may replace any of them by name.
COMMON = (
    Trait("stripe", 0, 1),
    Trait("spot", 0, 1),
    Trait("blotch", 0, 1, -0.4),
    Trait("frequency", 2.2, 7.5),
    Trait("share", 0.22, 0.7),
    Trait("slant", -0.1, 0.35, rate=0.6),
    Trait("shade", 0, 1),
    Trait("bulk", 0.8, 1.12, rate=0.5),
    Trait("scene_hue", 0.0, 0.06, hue=True, rate=0.8),
    Trait("scene_light", 0.5, 1.0, rate=0.8),
    Trait("scene_grain", 1.2, 4.5, rate=0.6),
    Trait("scene_clutter", 0, 1, rate=0.8),
)


def _colour(
    name: str, hue: float, spread: float, sat: Range, val: Range, rate: float = 1.0
) -> tuple[Trait, ...]:
    return (
        Trait(f"{name}_hue", hue, spread, rate=rate, hue=True),
        Trait(f"{name}_sat", *sat, rate=rate),
        Trait(f"{name}_val", *val, rate=rate),
    )


@dataclass(frozen=True)
class BodyPlan:
    """Body plan of a class.

    Attributes:
        name: name of the class, in the plural.
        ending: ending of the names of its orders.
        special: traits beside those of `COMMON`; one of the same name replaces it.
        upright: whether it is seen from the side, so that it does not turn freely in the image.
        shadow: whether it casts a shadow on the background.
        zoom: size in the image, relative to the frame it is drawn in.
        lower: distance of its middle below that of the image, in half images.
    """

    name: str
    ending: str
    special: tuple[Trait, ...]
    upright: bool = True
    shadow: bool = False
    zoom: float = 1.2
    lower: float = 0.0

    @cached_property
    def traits(self) -> tuple[Trait, ...]:
        """All traits: common ones first, then colours, then shapes."""
        special = {trait.name: trait for trait in self.special}
        return tuple(special.pop(t.name, t) for t in COMMON) + tuple(special.values())


BODY_PLANS = (
    BodyPlan(
        "birds",
        "iformes",
        (
            *_colour("coat", 0.1, 0.14, (0.05, 0.8), (0.25, 0.95), 1.4),
            *_colour("mark", 0.07, 0.1, (0.0, 0.65), (0.05, 0.6)),
            *_colour("trim", 0.07, 0.055, (0.45, 0.95), (0.35, 1.0), 1.4),
            Trait("plump", 0.2, 0.34),
            Trait("head", 0.15, 0.24),
            Trait("neck", 0.02, 0.3, -1.4, 0.8),
            Trait("beak", 0.1, 0.42, -1.0, 1.5),
            Trait("beak_depth", 0.03, 0.1),
            Trait("tail", 0.15, 0.62),
            Trait("crest", 0.0, 1.0, -1.0, 1.3),
            Trait("legs", 0.12, 0.45, -0.6),
            Trait("cap", 0.0, 1.0, 0.0, 1.3),
            Trait("wingbar", 0.0, 1.0, 0.0, 1.3),
            Trait("scene_hue", 0.42, 0.09, rate=0.8, hue=True),
            Trait("slant", -0.05, 0.3, 0.5, 0.6),
        ),
        zoom=1.15,
        lower=0.06,
    ),
    BodyPlan(
        "fishes",
        "opoda",
        (
            *_colour("coat", 0.1, 0.17, (0.1, 0.85), (0.5, 1.0)),
            *_colour("mark", 0.6, 0.15, (0.1, 0.85), (0.1, 0.85)),
            *_colour("trim", 0.1, 0.15, (0.3, 0.9), (0.5, 1.0)),
            Trait("depth", 0.15, 0.46, rate=1.4),
            Trait("tail", 0.12, 0.32),
            Trait("fork", 0.0, 1.0),
            Trait("dorsal", 0.06, 0.32, rate=1.4),
            Trait("dorsal_at", -0.2, 0.15),
            Trait("anal", 0.03, 0.22),
            Trait("fin", 0.1, 0.26),
            Trait("snout", 0.02, 0.24, -1.0),
            Trait("eye", 0.04, 0.085),
            Trait("scene_hue", 0.53, 0.05, rate=0.8, hue=True),
            Trait("stripe", 0, 1, 0.3, 1.6),
            Trait("frequency", 1.8, 6.0, 0.0, 1.6),
            Trait("slant", -0.06, 0.31, 0.0, 1.2),
        ),
        zoom=1.08,
    ),
    BodyPlan(
        "beetles",
        "optera",
        (
            *_colour("coat", 0.15, 0.2, (0.4, 1.0), (0.2, 0.95), 1.5),
            *_colour("mark", 0.05, 0.14, (0.1, 0.9), (0.02, 0.9)),
            *_colour("trim", 0.1, 0.15, (0.2, 0.9), (0.08, 0.6)),
            Trait("width", 0.2, 0.4),
            Trait("length", 0.34, 0.56),
            Trait("thorax", 0.12, 0.27),
            Trait("head", 0.08, 0.17),
            Trait("legs", 0.18, 0.5),
            Trait("leg_width", 0.02, 0.05),
            Trait("antennae", 0.1, 0.62, -0.3, 1.3),
            Trait("horn", 0.0, 0.36, -1.5, 1.3),
            Trait("gloss", 0.0, 1.0),
            Trait("suture", 0.0, 1.0),
            Trait("scene_hue", 0.22, 0.07, rate=0.8, hue=True),
            Trait("spot", 0, 1, 0.4, 1.5),
            Trait("frequency", 1.8, 6.0, 0.0, 1.4),
        ),
        upright=False,
        shadow=True,
        zoom=1.12,
    ),
    BodyPlan(
        "beasts",
        "theria",
        (
            *_colour("coat", 0.075, 0.03, (0.1, 0.75), (0.3, 0.95)),
            *_colour("mark", 0.06, 0.03, (0.1, 0.7), (0.05, 0.5)),
            *_colour("trim", 0.08, 0.03, (0.05, 0.5), (0.1, 0.95)),
            Trait("body", 0.14, 0.27),
            Trait("legs", 0.14, 0.48, rate=1.5),
            Trait("leg_width", 0.035, 0.085),
            Trait("neck", 0.05, 0.42, -0.9, 1.5),
            Trait("snout", 0.06, 0.26),
            Trait("ears", 0.05, 0.22, rate=1.3),
            Trait("horns", 0.0, 0.45, -1.2, 1.6),
            Trait("tail", 0.1, 0.6),
            Trait("tuft", 0.02, 0.13),
            Trait("mask", 0.0, 1.0, -0.3),
            Trait("scene_hue", 0.2, 0.045, rate=0.8, hue=True),
            Trait("stripe", 0, 1, -0.2, 1.3),
            Trait("spot", 0, 1, -0.2, 1.3),
        ),
        zoom=1.2,
        lower=0.1,
    ),
    BodyPlan(
        "butterflies",
        "aptera",
        (
            *_colour("coat", 0.1, 0.2, (0.35, 1.0), (0.45, 1.0), 1.4),
            *_colour("mark", 0.05, 0.15, (0.1, 0.9), (0.02, 0.55)),
            *_colour("trim", 0.12, 0.2, (0.2, 1.0), (0.6, 1.0), 1.4),
            Trait("span", 0.3, 0.44),
            Trait("fore", 0.18, 0.36),
            Trait("hind", 0.17, 0.32),
            Trait("sweep", 0.02, 0.16),
            Trait("tails", 0.0, 0.36, -1.1, 1.3),
            Trait("margin", 0.01, 0.14, rate=1.5),
            Trait("eyespot", 0.0, 0.13, rate=1.5),
            Trait("eyespot_at", 0.4, 0.8),
            Trait("veins", 0.0, 1.0),
            Trait("antennae", 0.2, 0.42),
            Trait("scene_hue", 0.28, 0.07, rate=0.8, hue=True),
            Trait("spot", 0, 1, -0.3),
        ),
        upright=False,
        shadow=True,
        zoom=1.2,
    ),
    BodyPlan(
        "flowers",
        "ales",
        (
            *_colour("coat", 0.9, 0.16, (0.1, 0.95), (0.65, 1.0), 1.3),
            *_colour("mark", 0.88, 0.16, (0.2, 1.0), (0.3, 1.0), 1.2),
            *_colour("trim", 0.13, 0.06, (0.5, 1.0), (0.3, 1.0)),
            Trait("petals", 3.6, 13.0, -0.8, 1.4),
            Trait("outer", 0.42, 0.68),
            Trait("inner", 0.1, 0.42),
            Trait("round", -0.3, 1.0, 0.6),
            Trait("second", 0.0, 1.0, -0.3, 1.3),
            Trait("disc", 0.07, 0.24, rate=1.3),
            Trait("guide", 0.0, 1.0, rate=1.3),
            Trait("blush", -0.2, 1.0),
            Trait("leaf", 0.1, 0.3),
            Trait("tilt", 0.72, 1.0),
            Trait("scene_hue", 0.29, 0.05, rate=0.8, hue=True),
            Trait("stripe", 0, 1, -0.5),
            Trait("spot", 0, 1, -0.6),
            Trait("blotch", 0, 1, -1.5),
        ),
        zoom=1.2,
    ),
    BodyPlan(
        "medusae",
        "zoa",
        (
            *_colour("coat", 0.8, 0.14, (0.15, 0.85), (0.6, 1.0)),
            *_colour("mark", 0.9, 0.17, (0.2, 0.9), (0.4, 1.0), 1.2),
            *_colour("trim", 0.95, 0.18, (0.1, 0.9), (0.6, 1.0), 1.3),
            Trait("width", 0.3, 0.56),
            Trait("height", 0.24, 0.6, rate=1.4),
            Trait("tentacles", 2.5, 9.5, 0.0, 1.3),
            Trait("reach", 0.2, 0.95, rate=1.4),
            Trait("thread", 0.012, 0.04),
            Trait("arms", 0.0, 0.55, -0.2, 1.3),
            Trait("frill", 0.0, 0.09),
            Trait("clear", 0.45, 0.95),
            Trait("organs", 0.0, 1.0),
            Trait("curl", 0.02, 0.1),
            Trait("scene_hue", 0.57, 0.03, rate=0.8, hue=True),
            Trait("slant", -0.05, 0.3, -0.6),
        ),
        zoom=1.4,
        lower=-0.15,
    ),
    BodyPlan(
        "stars",
        "asteria",
        (
            *_colour("coat", 0.05, 0.14, (0.35, 0.95), (0.45, 1.0), 1.3),
            *_colour("mark", 0.08, 0.16, (0.1, 0.9), (0.1, 1.0), 1.2),
            *_colour("trim", 0.1, 0.2, (0.1, 0.9), (0.4, 1.0)),
            Trait("arms", 5.0, 9.9, -1.2, 1.5),
            Trait("outer", 0.5, 0.78),
            Trait("inner", 0.14, 0.4, rate=1.4),
            Trait("round", -0.9, 0.3, 0.0, 1.3),
            Trait("ridge", 0.0, 1.0),
            Trait("studs", 0.0, 1.0, rate=1.3),
            Trait("disc", 0.0, 0.24),
            Trait("fringe", 0.0, 1.0, -0.4),
            Trait("scene_hue", 0.1, 0.03, rate=0.8, hue=True),
            Trait("spot", 0, 1, 0.4),
        ),
        upright=False,
        shadow=True,
        zoom=1.15,
    ),
    BodyPlan(
        "snails",
        "ocochlea",
        (
            *_colour("coat", 0.09, 0.07, (0.1, 0.8), (0.5, 1.0)),
            *_colour("mark", 0.05, 0.12, (0.2, 0.9), (0.1, 0.75), 1.2),
            *_colour("trim", 0.1, 0.1, (0.1, 0.7), (0.3, 0.9), 1.2),
            Trait("shell", 0.28, 0.46, rate=1.3),
            Trait("tall", 0.75, 1.25, rate=1.4),
            Trait("whorls", 1.6, 4.4, rate=1.4),
            Trait("bands", 0.0, 1.0, 0.2, 1.3),
            Trait("band_at", 0.2, 0.8),
            Trait("foot", 0.45, 0.78),
            Trait("stalks", 0.1, 0.36),
            Trait("neck", 0.1, 0.34),
            Trait("lip", 0.0, 1.0),
            Trait("scene_hue", 0.24, 0.07, rate=0.8, hue=True),
            Trait("stripe", 0, 1, 0.0, 1.3),
        ),
        zoom=1.25,
    ),
)
