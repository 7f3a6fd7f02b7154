"""How flowers are drawn.

The function takes the canvas, the creature's frame (about one unit in every direction, its head to
the right or up, y down) and its phenotype ``t``, a mapping from trait name to parameter.
"""

from __future__ import annotations

import torch

from t2v.libraries.worlds.creatures.coats import coat, colour
from t2v.libraries.worlds.drawing.canvas import Canvas, hsv
from t2v.libraries.worlds.drawing.shapes import (
    Frame,
    circle,
    ellipse,
    limb,
    mix,
    petals,
    ramp,
    turn,
)
from t2v.libraries.worlds.drawing.textures import spots, stripes


def flower(c: Canvas, f: Frame, t) -> None:
    """Draw a flower on its stem, seen from the front."""
    green = hsv(0.29 + 0.3 * (t["scene_hue"] - 0.29), 0.6, 0.35 + 0.25 * t["scene_light"])
    bend = t["lean"] * 0.2
    stem = limb(f, [(0.0, 0.0), (bend, 0.6), (0.5 * bend, 1.5)], 0.035, 0.045)
    c.paint(stem, green, f.pixel, depth=0.04, rim=0.02)
    for side, y in ((1.0, 0.72), (-1.0, 0.85)):
        blade = f.moved(bend, y, 0.25 - side * 0.17)
        d = ellipse(blade, 0.0, 0.0, t["leaf"] + 0.12, 0.42 * t["leaf"] + 0.02)
        tint = green * (0.85 + 0.25 * stripes(blade.y * 9, 0.3).unsqueeze(1))
        c.paint(d, tint, f.pixel, depth=0.1, rim=0.025)
    p = f.moved(0.0, -0.12, t["spin"])
    p = Frame(p.x, p.y / t["tilt"], p.pixel)
    n = torch.floor(torch.as_tensor(t["petals"]))
    radius = (p.x * p.x + p.y * p.y).sqrt()
    angle = turn(p.x, p.y) * n
    across = (angle - torch.floor(angle + 0.5)) * 2  # -1 to 1 over one petal
    part = radius / t["outer"]
    face = coat(t, part, across * 0.5)
    heart = ramp(part, 0.75, 0.2) * (0.9 * t["blush"]).clamp(min=0)
    face = mix(face, colour(t, "mark"), heart.unsqueeze(1))
    line = ramp(across.abs(), 0.22, 0.06) * ramp(part, 0.95, 0.4) * ramp(t["guide"], 0.45, 0.65)
    face = mix(face, colour(t, "mark", 0.75), (0.8 * line).unsqueeze(1))
    face = face * (1 - 0.35 * across.abs() * ramp(part, 1.0, 0.1)).unsqueeze(1)
    q = p.moved(angle=0.5 / n)
    under = petals(q, n, t["inner"], t["outer"] * 0.98, t["round"])
    c.paint(
        under, face * 0.72, f.pixel, depth=0.12, rim=0.03, opacity=ramp(t["second"], 0.42, 0.55)
    )
    c.paint(
        petals(p, n, t["inner"], t["outer"], t["round"]),
        face,
        f.pixel,
        depth=0.12,
        rim=0.03,
        lift=0.08,
    )
    seeds = spots(p.x * 16, p.y * 16, 0.3)
    heart = mix(colour(t, "trim"), colour(t, "trim", 0.55), seeds.unsqueeze(1))
    c.paint(circle(p, 0.0, 0.0, t["disc"]), heart, f.pixel, depth=0.12, rim=0.025, lift=0.1)
