"""Colours, patterned coats and eyes, which all creatures share.

``t`` is a phenotype, a mapping from trait name to parameter.
"""

from __future__ import annotations

import torch
from torch import Tensor

from t2v.libraries.worlds.drawing.canvas import Canvas, grey, hsv
from t2v.libraries.worlds.drawing.shapes import Field, Frame, circle, coverage, mix, ramp, wave
from t2v.libraries.worlds.drawing.textures import clouds, noise, spots, stripes


def colour(t, name: str, value: float = 1.0) -> Tensor:
    """Colour ``name`` of the phenotype, its brightness times ``value``."""
    return hsv(t[f"{name}_hue"], t[f"{name}_sat"], t[f"{name}_val"] * value)


def pattern(t, u: Field, v: Field) -> Field:
    """Cover of the coat by its markings, in [0, 1]; ``u`` runs along the body, ``v`` across."""
    k, share, a = t["frequency"], t["share"], t["slant"]
    along = k * (u * wave(a + 0.25) + v * wave(a)) + 0.18 * noise(
        2.5 * u + t["ox"], 2.5 * v + t["oy"]
    )
    cover = stripes(along + t["phase"], share) * ramp(t["stripe"], 0.4, 0.62)
    dots = spots(k * u + t["phase"], k * v, 0.1 + 0.42 * share)
    cover = torch.maximum(cover, dots * ramp(t["spot"], 0.4, 0.62))
    patch = ramp(clouds(0.55 * k * u + t["ox"], 0.55 * k * v + t["oy"]) + share, 0.55, 0.7)
    return torch.maximum(cover, patch * ramp(t["blotch"], 0.45, 0.65))


def coat(t, u: Field, v: Field, shade: Field | None = None) -> Tensor:
    """The marked coat ``[B, 3, S, S]``; ``shade``, in [0, 1], is how pale the belly is."""
    base = colour(t, "coat")
    pale = hsv(t["coat_hue"] + 0.02, 0.45 * t["coat_sat"], 0.35 + 0.65 * t["coat_val"])
    if shade is None:
        base = base.expand(-1, -1, *u.shape[1:])
    else:
        base = mix(base, pale, (shade * t["shade"]).unsqueeze(1))
    return mix(base, colour(t, "mark"), pattern(t, u, v).unsqueeze(1))


def eye(c: Canvas, f: Frame, x, y, size, iris: Tensor | None = None) -> None:
    """Draw a round eye with a glint at ``(x, y)``; without ``iris`` all of it is dark."""
    if iris is not None:
        c.paint(circle(f, x, y, size), iris, f.pixel, lift=0.05)
        size = 0.62 * size
    c.paint(circle(f, x, y, size), grey(0.06), f.pixel, lift=0.05)
    c.tint(
        0.9 * coverage(circle(f, x + 0.3 * size, y - 0.35 * size, 0.38 * size), f.pixel),
        grey(1.0),
    )
