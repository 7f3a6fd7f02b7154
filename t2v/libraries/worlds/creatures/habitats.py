"""Habitats: the backgrounds of the creatures, one kind for each body plan.

Each function takes the frame of the image and the phenotypes ``t``, and returns ``[B, 3, S, S]``.
"""

from __future__ import annotations

import torch
from torch import Tensor

from t2v.libraries.worlds.drawing.canvas import hsv
from t2v.libraries.worlds.drawing.shapes import Frame, mix, ramp, wave
from t2v.libraries.worlds.drawing.textures import clouds, noise, spots, stripes


def _layers(upper: Tensor, lower: Tensor, weight: Tensor) -> Tensor:
    return mix(upper, lower, weight.unsqueeze(1))


def water(f: Frame, t) -> Tensor:
    """Blue water, lighter above, slanting rays and a bed of sand."""
    light, hue = t["scene_light"], t["scene_hue"]
    top = hsv(hue - 0.03, 0.45, 0.55 + 0.45 * light)
    deep = hsv(hue + 0.04, 0.75, 0.15 + 0.4 * light)
    out = _layers(top, deep, ramp(f.y + 0.3 * noise(f.x + t["ox"], f.y), -1.1, 1.1))
    ray = noise((f.x + 0.45 * f.y) * t["scene_grain"] + t["ox"], 0.12 * f.y + t["oy"])
    out = out + (0.13 * ray * ramp(f.y, 0.9, -0.9)).unsqueeze(1)
    bed = f.y - 0.72 - 0.12 * noise(1.3 * f.x + t["oy"], f.y * 0 + t["ox"])
    sand = hsv(hue * 0.3 - 0.06, 0.3, 0.45 + 0.4 * light)
    speck = 1 + 0.12 * noise(9 * f.x + t["ox"], 14 * f.y)
    bed_cover = ramp(bed, -0.06, 0.06) * (0.35 + 0.5 * t["scene_clutter"])
    out = _layers(out, sand * speck.unsqueeze(1), bed_cover)
    # weed: upright blades that sway
    cell = 3.5 * f.x + t["ox"] + 0.25 * wave(0.7 * f.y + t["oy"])
    k = torch.floor(cell)
    tall = 0.9 - 0.75 * (0.5 + 0.5 * wave(k * 0.618)) * t["scene_clutter"]
    blade = ramp((cell - k - 0.5).abs(), 0.16, 0.08) * ramp(f.y - tall, -0.05, 0.12)
    return _layers(out, hsv(hue - 0.2, 0.6, 0.18 + 0.3 * light), blade * t["scene_clutter"])


def abyss(f: Frame, t) -> Tensor:
    """Deep water with drifting motes."""
    light, hue = t["scene_light"], t["scene_hue"]
    glow = ((f.x * f.x + (f.y + 0.3) * (f.y + 0.3)).sqrt() + 0.25 * noise(f.x + t["ox"], f.y)) * 0.8
    out = _layers(
        hsv(hue, 0.55, 0.5 + 0.45 * light),
        hsv(hue + 0.05, 0.8, 0.22 + 0.35 * light),
        ramp(glow),
    )
    g = 1.5 + t["scene_grain"]
    mote = spots(g * f.x + t["ox"], g * f.y + t["oy"], 0.03 + 0.05 * t["scene_clutter"], 0.4, 0.04)
    return out + (0.35 * mote * t["scene_clutter"]).unsqueeze(1)


def foliage(f: Frame, t) -> Tensor:
    """Sky seen through leaves out of focus."""
    light, hue = t["scene_light"], t["scene_hue"]
    sky = hsv(hue + 0.12, 0.3, 0.5 + 0.5 * light)
    leaf = hsv(hue - 0.12, 0.5, 0.2 + 0.45 * light)
    g = 0.4 * t["scene_grain"]
    far = clouds(g * f.x + t["ox"], g * f.y + t["oy"]) + 0.5 * f.y
    out = _layers(sky, leaf, ramp(far, 0.55 - t["scene_clutter"], 0.95 - 0.9 * t["scene_clutter"]))
    near = clouds(2.2 * g * f.x + t["oy"], 2.2 * g * f.y + t["ox"])
    return out * (1 + 0.16 * near).unsqueeze(1)


def meadow(f: Frame, t) -> Tensor:
    """Open land: sky, a line of hills, grass."""
    light, hue = t["scene_light"], t["scene_hue"]
    sky = _layers(
        hsv(0.57, 0.4, 0.45 + 0.5 * light),
        hsv(hue * 0.4 + 0.05, 0.15, 0.7 + 0.3 * light),
        ramp(f.y, -1.0, 0.1),
    )
    ridge = f.y + 0.05 - 0.25 * t["scene_clutter"] * noise(1.2 * f.x + t["ox"], f.y * 0)
    hills = hsv(hue + 0.1, 0.3, 0.3 + 0.4 * light)
    out = _layers(sky, hills, ramp(ridge, -0.03, 0.03))
    grass = hsv(hue, 0.5, 0.25 + 0.5 * light)
    g = t["scene_grain"]
    blades = noise(7 * g * f.x * 0.5 + t["ox"], 1.2 * g * f.y + t["oy"])
    grass = grass * (0.85 + 0.2 * blades + 0.2 * f.y).unsqueeze(1)
    return _layers(out, grass, ramp(f.y - 0.22 + 0.06 * blades, -0.04, 0.04))


def leaf(f: Frame, t) -> Tensor:
    """A leaf or bark from close by: a midrib, side veins, mottling."""
    light, hue = t["scene_light"], t["scene_hue"]
    g = t["scene_grain"]
    base = hsv(hue, 0.48, 0.2 + 0.55 * light)
    mottle = clouds(g * f.x + t["ox"], 1.4 * g * f.y + t["oy"])
    out = base * (1 + 0.22 * mottle).unsqueeze(1)
    u, v = 0.8 * f.x + 0.6 * f.y + 0.3 * t["lean"], 0.8 * f.y - 0.6 * f.x
    side = stripes(1.1 * g * (v + 0.7 * u.abs()), 0.06, 0.08)
    vein = torch.maximum(ramp(u.abs(), 0.07, 0.02), 0.7 * side) * (0.15 + 0.5 * t["scene_clutter"])
    return _layers(out, hsv(hue + 0.02, 0.35, 0.4 + 0.6 * light), vein)


def garden(f: Frame, t) -> Tensor:
    """Leaves out of focus with discs of light."""
    light, hue = t["scene_light"], t["scene_hue"]
    g = 0.5 * t["scene_grain"]
    deep = hsv(hue + 0.03, 0.6, 0.18 + 0.4 * light)
    bright = hsv(hue - 0.03, 0.45, 0.4 + 0.5 * light)
    out = _layers(deep, bright, ramp(clouds(g * f.x + t["ox"], g * f.y + t["oy"]), -0.7, 0.8))
    disc = spots(1.3 * f.x + t["oy"], 1.3 * f.y + t["ox"], 0.26, 0.18, 0.05)
    return out + (0.16 * disc * t["scene_clutter"]).unsqueeze(1)


def seabed(f: Frame, t) -> Tensor:
    """Rippled sand with pebbles."""
    light, hue = t["scene_light"], t["scene_hue"]
    g = t["scene_grain"]
    bend = noise(1.3 * f.x + t["ox"], 1.3 * f.y + t["oy"])
    ripple = wave(g * (f.y + 0.3 * f.x * t["lean"] + 0.25 * bend))
    sand = hsv(hue, 0.35, 0.35 + 0.5 * light)
    speck = noise(16 * f.x, 16 * f.y + t["oy"])
    out = sand * (1 + 0.09 * ripple + 0.06 * speck).unsqueeze(1)
    u, v = 2.2 * f.x + t["oy"], 2.2 * f.y + t["ox"]
    tone = 0.5 + 0.5 * noise(0.7 * u, 0.7 * v)
    stone = spots(u, v, 0.24 * t["scene_clutter"], 0.2, 0.06)
    return _layers(out, hsv(hue + 0.3, 0.12, 1.0) * (0.3 + 0.4 * tone).unsqueeze(1), 0.8 * stone)


def bokeh(f: Frame, t) -> Tensor:
    """Far background of a long lens: two broad tones and large discs of light (the aviary's)."""
    a = hsv(t["bokeh_hue"], 0.35, t["bokeh_light"])
    b = hsv(t["bokeh_hue"] + 0.18, 0.4, 0.75 * t["bokeh_light"])
    out = _layers(a, b, ramp(noise(0.7 * f.x + t["ox"], 0.7 * f.y + t["oy"]), -0.7, 0.7))
    disc = spots(0.9 * f.x + t["oy"], 0.9 * f.y + t["ox"], 0.3, 0.08, 0.1)
    return out + (0.12 * disc).unsqueeze(1)


HABITATS = {
    "birds": foliage,
    "fishes": water,
    "beetles": leaf,
    "beasts": meadow,
    "butterflies": garden,
    "flowers": garden,
    "medusae": abyss,
    "stars": seabed,
    "snails": leaf,
}
