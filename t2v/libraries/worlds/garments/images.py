"""Images of garments, like those of a shop, of which every attribute is known.

A garment is a signed distance in its own coordinates (x to the right, y down, about -1 to 1):
a trunk whose half-width follows the body, mirrored sleeves, legs where it has them, less the
neckline. The cloth on it (colour, pattern, material) is in `t2v.libraries.worlds.garments.cloth`.
"""

from __future__ import annotations

import joblib
import numpy as np
import torch
from joblib import Parallel, delayed
from torch import Tensor

from t2v._run.cache import cached_call
from t2v.libraries.worlds.drawing.canvas import Canvas, develop, grey, hsv
from t2v.libraries.worlds.drawing.shapes import (
    Frame,
    box,
    capsule,
    circle,
    coverage,
    ellipse,
    mix,
    ramp,
    union,
    view,
    wave,
)
from t2v.libraries.worlds.drawing.textures import noise
from t2v.libraries.worlds.garments import cloth
from t2v.libraries.worlds.garments.attributes import Garments

# Per category: hem (y), half-width there, half-width at the waist, zoom, y of the middle.
CUT = {
    "top": (0.44, 0.34, 0.30, 1.20, -0.12),
    "dress": (0.66, 0.50, 0.24, 1.16, 0.00),
    "gown": (1.00, 0.68, 0.21, 1.02, 0.13),
    "jumpsuit": (1.00, 0.13, 0.26, 1.04, 0.13),
    "playsuit": (0.60, 0.18, 0.27, 1.18, -0.02),
    "coat": (0.82, 0.46, 0.36, 1.08, 0.07),
}
# Per sleeve: length, half-width at the shoulder and at the cuff, bulge between them.
SLEEVE = {
    "sleeveless": (0.0, 0.0, 0.0, 0.0),
    "short sleeves": (0.27, 0.13, 0.13, 0.0),
    "long sleeves": (0.78, 0.13, 0.085, 0.0),
    "bell sleeves": (0.64, 0.11, 0.23, 0.0),
    "puff sleeves": (0.32, 0.10, 0.09, 0.11),
}
SHOULDER, CROTCH = -0.62, 0.36  # y
CHUNK = 32  # garments drawn at once: their fields stay in a core's cache


def draw_garments(garments: Garments, size: int = 48) -> Tensor:
    """Images of garments.

    Args:
        garments: N garments.
        size: S, the side of the images in pixels.

    Returns:
        uint8 `[N, 3, S, S]`; each image depends on its garment only, to the bit.
    """
    parts = [garments.take(slice(i, i + CHUNK)) for i in range(0, len(garments), CHUNK)]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the threads below share the work out in larger pieces
    try:
        images = Parallel(n_jobs=-1, prefer="threads")(delayed(_draw)(p, size) for p in parts)
    finally:
        torch.set_num_threads(threads)
    return torch.cat(images)


def cached_garments(garments: Garments, size: int = 48) -> Tensor:
    """The images of `draw_garments`, drawn once and cached under `T2V_CACHE`."""
    values = {group: column.numpy() for group, column in garments.values.items()}
    key = (joblib.hash((values, garments.nuisances.numpy())), size)
    return torch.from_numpy(cached_call(_draw_all, key, garments))


def _draw_all(key: tuple, garments: Garments) -> np.ndarray:
    return draw_garments(garments, key[1]).numpy()


def _draw(g: Garments, size: int) -> Tensor:
    whole = view(size, len(g))
    canvas = Canvas(cloth.background(g, whole), size)
    frame = _pose(g, whole)
    shape = _shape(g, frame)

    shadow = _shape(g, frame.moved(g.between("light", -0.06, 0.06), 0.05))["all"]
    canvas.tint(0.45 * ramp(shadow, 0.07, -0.07), grey(0.05))
    _hanger(g, canvas, frame)
    colours = cloth.colours(g)
    # the inside of the back, seen through the neckline
    canvas.paint(shape["back"], cloth.lining(colours[0]), frame.pixel)
    outside = cloth.fabric(g, colours, frame, shape)
    canvas.tint(coverage(shape["all"], frame.pixel), outside)
    cloth.details(g, canvas, colours, frame, shape)

    red, blue = 1 + g.between("warmth", -0.05, 0.05), 1 - g.between("warmth", -0.05, 0.05)
    green = 1 + g.between("tint", -0.03, 0.03)
    start = (g["seed"] * (1 << 20)).flatten().to(torch.int64)
    return develop(
        canvas.colour,
        whole,
        light=(g.between("light", -0.10, 0.10), g.between("vignette", -0.12, 0.04)),
        exposure=g.between("exposure", 0.88, 1.12),
        cast=torch.stack([red, green, blue], 1),
        soft=g.between("blur", 0.0, 0.5),
        sensor=g.between("grain", 0.005, 0.03),
        start=start,
    )


def _pose(g: Garments, whole: Frame) -> Frame:
    """Coordinates of the garment: placed, turned, sheared and swaying in the `whole` image."""
    _, _, _, zoom, middle = g.table("category", CUT)
    zoom = zoom * g.between("zoom", 0.92, 1.06)
    frame = whole.moved(
        g.between("across", -0.10, 0.10),
        g.between("down", -0.07, 0.07),
        g.between("tilt", -0.03, 0.03),
        zoom,
    )
    y = frame.y + middle
    x = frame.x + g.between("shear", -0.08, 0.08) * y
    x = x + g.between("sway", 0.0, 0.03) * wave(0.6 * y + g["sway_phase"])
    return Frame(x, y, frame.pixel)


def _shape(g: Garments, frame: Frame) -> dict[str, Tensor]:
    """Signed distances of the parts, and the coordinates of the cloth on them."""
    x, y, side = frame.x, frame.y, frame.x.abs()
    hem, hem_width, waist, _, _ = g.table("category", CUT)
    legs = g.has("category", "jumpsuit", "playsuit")
    # the trunk of trousers ends where the legs have begun
    leg_end, leg_cuff = hem + g.between("hem", -0.05, 0.03), hem_width
    hem = torch.where(legs, torch.tensor(CROTCH + 0.05), leg_end)
    hem_width = torch.where(legs, torch.tensor(0.33), hem_width * g.between("flare", 0.88, 1.10))
    waist = waist * g.between("waist", 0.92, 1.10)
    shoulder = torch.where(g.has("sleeve", "sleeveless"), torch.tensor(0.26), torch.tensor(0.33))
    shoulder = shoulder * g.between("girth", 0.94, 1.06)

    chest = torch.tensor(0.33) * g.between("girth", 0.94, 1.06)
    below = ((y - 0.02) / (hem - 0.02)).clamp(min=0)
    width = mix(shoulder, chest, ramp(y, -0.42, -0.26))
    width = mix(width, waist, ramp(y, -0.35, 0.03))
    width = width + (hem_width - waist) * below * (0.65 + 0.35 * below)
    lowest = hem - 0.10 * (hem_width - 0.3).clamp(min=0) * (side / hem_width) * (side / hem_width)
    ruffled = g.has("detail", "ruffles").float()
    scallops = wave(x * 5 + g["detail_place"]).abs()
    lowest = lowest + ruffled * 0.045 * (scallops - 0.5)
    top = SHOULDER - 0.04 + 0.30 * (side - 0.12).clamp(min=0)
    trunk = torch.maximum(torch.maximum(side - width, top - y), y - lowest)

    centre = 0.17 + g.between("length", 0.04, 0.16) * (y - 0.2)
    half = mix(torch.tensor(0.165), leg_cuff, ramp(y, 0.3, 1.0))
    end = leg_end + ruffled * 0.04 * (scallops - 0.5)
    leg = torch.maximum((side - centre).abs() - half, torch.maximum(y - end, 0.18 - y))
    trunk = torch.where(legs, torch.minimum(trunk, leg), trunk)

    length, at_shoulder, at_cuff, bulge = g.table("sleeve", SLEEVE)
    length = length * g.between("length", 0.9, 1.1)
    angle = torch.where(
        x < 0, g.between("left_arm", 0.04, 0.15), g.between("right_arm", 0.04, 0.15)
    )
    across, down = wave(angle), wave(angle + 0.25)
    u, v = side - (shoulder - 0.06), y - (SHOULDER + 0.13)
    along, beside = u * across + v * down, u * down - v * across
    part = (along / (length + 1e-6)).clamp(0, 1)
    thick = mix(at_shoulder, at_cuff, part * part) + bulge * 4 * part * (1 - part)
    sleeve = torch.maximum(beside.abs() - thick, torch.maximum(along - length, -along - 0.06))
    sleeve = torch.where(length > 0, sleeve, torch.tensor(9.0))

    whole = torch.minimum(trunk, sleeve)
    cut, stand = _neckline(g, frame)
    back = torch.maximum(whole, y - (SHOULDER + 0.48))
    back = torch.maximum(back, (SHOULDER + 0.02) - y)
    whole = torch.minimum(torch.maximum(whole, -cut), stand)
    open_front = side - 0.16 * (y - 0.02).clamp(min=0) * (y - 0.02).clamp(min=0)
    coat = torch.maximum(whole, -open_front)
    whole = torch.where(g.has("category", "coat"), coat, whole)
    tufts = noise(16 * x + 16 * g["seed"], 16 * y)
    whole = whole + g.has("material", "fur").float() * 0.05 * tufts
    on_sleeve = sleeve < trunk
    return {
        "all": whole,
        "back": back,
        "trunk": trunk,
        "sleeve": sleeve,
        "cut": cut,
        "stand": stand,
        "hem": torch.where(legs, end, lowest) - y,
        "cuff": length - along,
        "width": width,
        "flare": (below * (hem_width - waist).clamp(min=0) / 0.3).clamp(0, 1.3),
        "u": torch.where(on_sleeve, beside + 0.7, x * (0.30 / (0.12 + 0.6 * width))),
        "v": torch.where(on_sleeve, along + 0.3, y),
    }


def _neckline(g: Garments, frame: Frame) -> tuple[Tensor, Tensor]:
    """Signed distances of what the neckline cuts out of the trunk, and of the collar above it."""
    wide, y, side = g.between("neck", 0.85, 1.15), frame.y - SHOULDER, frame.x.abs()
    round_ = ellipse(frame, 0.0, SHOULDER - 0.05, 0.19 * wide, 0.23 * wide)
    vee = (side - 0.20 * wide + 0.42 * (y + 0.05)) * 0.9
    square = torch.maximum(side - 0.21 * wide, y - 0.17 * wide)
    collar = (side - 0.10 * wide + 0.50 * (y + 0.05)) * 0.9
    nothing = torch.full_like(y, 9.0)
    cut = nothing
    for name, shape in (
        ("round neck", round_),
        ("V-neck", vee),
        ("square neck", square),
        ("collar", collar),
    ):
        cut = torch.where(g.has("neckline", name), shape, cut)
    tube = box(frame, 0.0, SHOULDER - 0.02, 0.14 * wide, 0.16, 0.03)
    flap = torch.maximum(
        (side - 0.06 - 0.7 * (y + 0.12)).abs() - 0.085, (y - 0.02 + 0.35 * side - 0.12).abs() - 0.11
    )
    flap = torch.maximum(flap, -collar)
    stand = torch.where(g.has("neckline", "turtleneck"), tube, nothing)
    return cut, torch.where(g.has("neckline", "collar"), flap, stand)


def _hanger(g: Garments, canvas: Canvas, frame: Frame) -> None:
    """Draw a wire hook above the collar and wooden arms under the shoulders of hanging garments."""
    hangs = (g["place"] < 0.4).float()
    side = frame.mirrored()
    arms = capsule(side, 0.0, SHOULDER - 0.10, 0.30, SHOULDER + 0.02, 0.028, 0.022)
    hook = capsule(frame, 0.0, SHOULDER - 0.10, 0.0, SHOULDER - 0.24, 0.012, 0.012)
    bow = (circle(frame, 0.045, SHOULDER - 0.26, 0.05)).abs() - 0.012
    bow = torch.maximum(bow, frame.y - (SHOULDER - 0.235) - 4 * frame.x.clamp(min=0.0, max=0.005))
    canvas.paint(union(hook, bow), grey(0.45), frame.pixel, opacity=hangs)
    wood = hsv(0.08, 0.5, g.between("place_hue", 0.35, 0.75).flatten())
    canvas.paint(arms, wood, frame.pixel, opacity=hangs, rim=0.02)
