"""The cloth of garments (colours, patterns, materials, folds), their details and backgrounds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from t2v.libraries.worlds.drawing.canvas import Canvas, grey, hsv
from t2v.libraries.worlds.drawing.shapes import (
    Frame,
    box,
    circle,
    coverage,
    dome,
    mix,
    petals,
    ramp,
    wave,
)
from t2v.libraries.worlds.drawing.textures import clouds, noise, spots, stripes
from t2v.libraries.worlds.garments.attributes import Garments

# Per colour: hue, saturation and value, each as (middle, half-range); hue in turns.
COLOUR = {
    "red": (0.98, 0.025, 0.80, 0.12, 0.72, 0.14),
    "yellow": (0.13, 0.025, 0.78, 0.14, 0.88, 0.09),
    "green": (0.37, 0.06, 0.60, 0.18, 0.50, 0.16),
    "blue": (0.61, 0.04, 0.68, 0.16, 0.58, 0.18),
    "black": (0.60, 0.50, 0.14, 0.10, 0.15, 0.05),
    "white": (0.12, 0.50, 0.05, 0.05, 0.92, 0.05),
}
# Per material: depth of folds, how far the cloth looks round at its edges.
FOLDS = {
    "cotton": (0.17, 0.30),
    "denim": (0.12, 0.28),
    "knit": (0.07, 0.34),
    "satin": (0.26, 0.30),
    "fur": (0.04, 0.40),
    "sequins": (0.10, 0.30),
}


def _each(kind: Tensor, draw: Sequence[Callable], g: Garments, *fields: Tensor) -> Tensor:
    """Fields of each garment by the function of its kind, `draw[kind]`; only these are computed."""
    parts = [
        (index, function(g.take(index), *(field[index] for field in fields)))
        for k, function in enumerate(draw)
        if len(index := _where(kind, k))
    ]
    _, first = parts[0]
    out = first.new_empty(len(g), *first.shape[1:])
    for index, part in parts:
        out[index] = part
    return out


def _where(kind: Tensor, k: int) -> Tensor:
    return (kind.flatten() == k).nonzero().flatten()


# --- colours -----------------------------------------------------------------------------------


def colours(g: Garments) -> tuple[Tensor, Tensor, Tensor]:
    """Colour of the cloth, of its pattern, and a third one, each `[N, 3, 1, 1]`."""
    h, dh, s, ds, v, dv = (column.flatten() for column in g.table("colour", COLOUR))
    jitter = [2 * g[name].flatten() - 1 for name in ("hue", "saturation", "value")]
    first = hsv(h + dh * jitter[0], s + ds * jitter[1], v + dv * jitter[2])
    light = (first[:, 0] * 0.3 + first[:, 1] * 0.6 + first[:, 2] * 0.1).flatten() > 0.42
    # visible patterns: dark on light cloth, light on dark cloth; half of them grey
    vivid = 0.75 * ramp(g["second_value"].flatten(), 0.4, 0.6)
    level = g.between("second_value", 0.0, 0.15).flatten()
    second = hsv(
        g["second_hue"].flatten(),
        torch.where(light, vivid, 0.35 * vivid),
        torch.where(light, 0.16 + 0.2 * vivid + level, 0.98 - level),
    )
    third = hsv(g["third_hue"].flatten(), 0.7, torch.where(light, 0.5, 0.9))
    return first, second, third


def lining(colour: Tensor) -> Tensor:
    """Colour of the inside of a garment: darker than light cloth, lighter than dark cloth."""
    dark = ramp(colour.mean(1, keepdim=True), 0.35, 0.15)
    return mix(0.38 * colour, 0.4 + 0.5 * colour, dark)


# --- patterns: weights of the second and the third colour, [N, 2, S, S] -------------------------


def _plain(g: Garments, u: Tensor, v: Tensor, pixel: Tensor) -> Tensor:
    return torch.zeros(len(g), 2, *u.shape[1:])


def _striped(g: Garments, u: Tensor, v: Tensor, pixel: Tensor) -> Tensor:
    period = g.between("pattern_size", 0.15, 0.30)
    upright = g["pattern_turn"] < 0.35
    along = torch.where(upright, u, v + 0.06 * (g["pattern_turn"] - 0.6) * u) / period
    second = stripes(along + g["pattern_phase"], g.between("second_hue", 0.3, 0.5), pixel / period)
    return torch.stack([second, torch.zeros_like(second)], 1)


def _checked(g: Garments, u: Tensor, v: Tensor, pixel: Tensor) -> Tensor:
    period = g.between("pattern_size", 0.19, 0.34)
    bands = [stripes(t / period + g["pattern_phase"], 0.5, pixel / period) for t in (u, v)]
    fine = [stripes(t / period + g["pattern_phase"] + 0.5, 0.08, pixel / period) for t in (u, v)]
    third = torch.maximum(*fine) * (g["third_hue"] < 0.5).float() * 0.7
    return torch.stack([0.45 * (bands[0] + bands[1]), third], 1)


def _dotted(g: Garments, u: Tensor, v: Tensor, pixel: Tensor) -> Tensor:
    period = g.between("pattern_size", 0.14, 0.25)
    soft = pixel / period * 0.6
    radius = g.between("pattern_turn", 0.22, 0.30)
    second = spots(u / period + g["pattern_phase"], v / period, radius, 0.0, soft)
    return torch.stack([second, torch.zeros_like(second)], 1)


def _floral(g: Garments, u: Tensor, v: Tensor, pixel: Tensor) -> Tensor:
    period = g.between("pattern_size", 0.27, 0.40)
    x, y = u / period + 8 + g["pattern_phase"], v / period + 8
    row = torch.floor(y)
    x = x + 0.5 * (row - 2 * torch.floor(row * 0.5))
    column = torch.floor(x)
    shift = [0.14 * wave(column * a + row * b + g["seed"]) for a, b in ((0.38, 0.62), (0.72, 0.27))]
    turned = Frame(x - column - 0.5 + shift[0], y - row - 0.5 + shift[1], pixel / period)
    turned = turned.moved(angle=0.38 * column + 0.23 * row)
    bloom = coverage(petals(turned, 5.0, 0.13, 0.42, 0.8), turned.pixel)
    heart = coverage(circle(turned, 0.0, 0.0, 0.12), turned.pixel)
    return torch.stack([bloom, heart], 1)


def _zigzag(g: Garments, u: Tensor, v: Tensor, pixel: Tensor) -> Tensor:
    period = g.between("pattern_size", 0.20, 0.32)
    t = u / (1.1 * period) + g["pattern_phase"]
    teeth = 2 * (t - torch.floor(t + 0.5)).abs()
    second = stripes(v / period + 0.55 * teeth, 0.45, pixel / period)
    return torch.stack([second, torch.zeros_like(second)], 1)


PATTERNS = (_plain, _striped, _checked, _dotted, _floral, _zigzag)


# --- materials: a factor on the colour, and light added to it, [N, 2, S, S] ---------------------


def _cotton(g: Garments, u: Tensor, v: Tensor, fold: Tensor) -> Tensor:
    return torch.stack([1 + fold, torch.zeros_like(fold)], 1)


def _denim(g: Garments, u: Tensor, v: Tensor, fold: Tensor) -> Tensor:
    twill = wave(4.6 * u + 4.6 * v)
    worn = clouds(6 * u + 16 * g["seed"], 5 * v)
    bleached = ramp(noise(2.2 * u + 16 * g["seed"], 1.8 * v + 3), 0.1, 0.8)
    return torch.stack([1 + fold + 0.13 * twill + 0.18 * worn, 0.10 * bleached], 1)


def _knit(g: Garments, u: Tensor, v: Tensor, fold: Tensor) -> Tensor:
    ribs = g.between("fold_count", 5.0, 6.5)
    across = u * ribs
    rib = 2 * (across - torch.floor(across + 0.5)).abs()  # 0 on a rib's crest, 1 in the furrow
    stitch = wave(v * ribs * 1.25 + 0.45 * rib)
    return torch.stack([0.98 + fold - 0.42 * rib * rib + 0.22 * stitch, 0.05 * (1 - rib)], 1)


def _satin(g: Garments, u: Tensor, v: Tensor, fold: Tensor) -> Tensor:
    flow = wave(1.1 * u + 0.35 * v + 0.45 * noise(2.0 * u + 16 * g["seed"], 1.1 * v + 2))
    shine = (0.75 * flow + 1.6 * fold).clamp(min=0)
    return torch.stack([0.82 + fold + 0.20 * flow, 0.42 * shine * shine], 1)


def _fur(g: Garments, u: Tensor, v: Tensor, fold: Tensor) -> Tensor:
    bend = 0.25 * noise(3 * u + 16 * g["seed"], 3 * v)
    tufts = noise(9 * u + bend * 8, 4.5 * v + 16 * g["seed"])
    hairs = noise(21 * u + bend * 12 + 5, 9 * v + 16 * g["seed"])
    return torch.stack([0.90 + fold + 0.34 * tufts + 0.26 * hairs, 0.12 * tufts.clamp(min=0)], 1)


def _sequins(g: Garments, u: Tensor, v: Tensor, fold: Tensor) -> Tensor:
    x, y = 11 * u + 20, 11 * v + 20
    row = torch.floor(y)
    x = x + 0.5 * (row - 2 * torch.floor(row * 0.5))
    column = torch.floor(x)
    facing = wave(0.618 * column * (row + 3) + 0.414 * row + g["seed"])
    x, y = x - column - 0.5, y - row - 0.5
    disc = ramp(x * x + y * y, 0.26, 0.14)
    sparkle = ramp(facing, 0.45, 0.95) * (0.25 + 0.75 * disc)
    return torch.stack([0.66 + fold + 0.16 * facing + 0.24 * disc, 0.60 * sparkle], 1)


MATERIALS = (_cotton, _denim, _knit, _satin, _fur, _sequins)


def fabric(g: Garments, colour: Sequence[Tensor], frame: Frame, shape: dict[str, Tensor]) -> Tensor:
    """The outside of garments, lit: `[N, 3, S, S]`.

    Args:
        g: N garments.
        colour: the three colours of `colours`.
        frame: coordinates of the garments.
        shape: signed distances of the parts and coordinates of the cloth, each `[N, S, S]`.
    """
    u, v, pixel = shape["u"], shape["v"], torch.as_tensor(frame.pixel)
    weights = _each(g.values["pattern"], PATTERNS, g, u, v, pixel)
    albedo = mix(colour[0], colour[1], weights[:, :1])
    albedo = mix(albedo, colour[2], weights[:, 1:])

    depth, round_ = g.table("material", FOLDS)
    drape = wave(
        g.between("fold_count", 2.2, 4.2) * u / (0.4 + 0.6 * shape["flare"].clamp(min=0.4))
        + g["fold_phase"]
        + 0.12 * wave(0.8 * v + g["crease_phase"])
    )
    lean = g.between("crease_turn", -1.2, 1.2)
    crease = noise(2.2 * (u + lean * v) + 16 * g["crease_phase"], 1.6 * (v - lean * u) + 4)
    depth = depth * g.between("fold_depth", 0.7, 1.3)
    fold = depth * (drape * (0.25 + 0.75 * shape["flare"]) + 0.8 * crease)
    surface = _each(g.values["material"], MATERIALS, g, u, v, fold)

    body = 1 - round_ + round_ * dome(shape["all"], 0.22)
    seam = coverage((shape["sleeve"] - shape["trunk"]).abs() - 0.012, frame.pixel)
    seam = seam * ramp(shape["trunk"], 0.06, 0.0) * ramp(shape["all"], 0.02, -0.04)
    edge = coverage(torch.minimum(shape["hem"], shape["cuff"]).abs() - 0.06, frame.pixel)
    neck = coverage(shape["cut"].abs() - 0.035, frame.pixel)
    standing = coverage(shape["stand"].abs() - 0.012, frame.pixel)
    border = 1 - 0.25 * seam - 0.10 * edge - 0.22 * neck - 0.35 * standing
    lit = albedo * (surface[:, 0] * body * border).unsqueeze(1) + surface[:, 1:]
    stitches = g.has("material", "denim").float() * coverage(
        (torch.minimum(shape["hem"], shape["cuff"]) - 0.07).abs() - 0.008, frame.pixel
    )
    lit = mix(lit, hsv(0.09, 0.75, 0.85), 0.8 * stitches.unsqueeze(1))
    collar = g.has("neckline", "collar").float() * coverage(shape["stand"], frame.pixel)
    plain = mix(colour[0], colour[1], 0.35) * (1 - 0.5 * standing).unsqueeze(1)
    return mix(lit, plain, 0.85 * collar.unsqueeze(1))


# --- details -----------------------------------------------------------------------------------


def details(
    g: Garments,
    canvas: Canvas,
    colour: Sequence[Tensor],
    frame: Frame,
    shape: dict[str, Tensor],
) -> None:
    """Paint belts, buttons, pockets or ruffles onto garments, and the front line of coats.

    Args:
        g: N garments.
        canvas: the canvas with the garments on it.
        colour: the three colours of `colours`.
        frame: coordinates of the garments.
        shape: signed distances of the parts and coordinates of the cloth, each `[N, S, S]`.
    """
    x, y = frame.x, frame.y
    inside = shape["all"]
    bright = hsv(g["detail_hue"].flatten(), 0.25, 0.95)
    dark = 0.35 * colour[0]
    light = (colour[0].mean(1) > 0.4).float().unsqueeze(1)
    contrast = mix(bright, dark, light)

    front = torch.maximum(x.abs() - 0.012, inside)
    coat = g.has("category", "coat").float()
    canvas.paint(front, 0.35 * colour[0], frame.pixel, opacity=0.8 * coat)

    belt = g.has("detail", "belt").float()
    height = g.between("detail_place", -0.03, 0.07)
    band = torch.maximum(torch.maximum((y - height).abs() - 0.045, inside), shape["trunk"] + 0.0)
    leather = hsv(0.07, 0.6, g.between("detail_hue", 0.12, 0.45).flatten())
    canvas.paint(band, leather, frame.pixel, opacity=belt, rim=0.02)
    buckle = box(frame, 0.0, height, 0.065, 0.06, 0.01).abs() - 0.018
    canvas.paint(buckle, hsv(0.12, 0.6, 0.9), frame.pixel, opacity=belt)

    buttons = g.has("detail", "buttons").float()
    step = g.between("detail_place", 0.12, 0.17)
    down = (y + 0.28) / step
    nearest = (torch.floor(down + 0.5)).clamp(0, 4) * step - 0.28
    disc = circle(frame, 0.0, nearest, 0.045)
    canvas.paint(torch.maximum(disc, inside), contrast, frame.pixel, opacity=buttons, rim=0.012)

    pockets = g.has("detail", "pockets").float()
    place = g.between("detail_place", 0.10, 0.22)
    patch = box(frame.mirrored(), 0.165, place, 0.095, 0.105, 0.02)
    line = torch.minimum(
        patch.abs() - 0.014, box(frame.mirrored(), 0.165, place - 0.075, 0.095, 0.022)
    )
    patch = torch.maximum(patch, inside)
    canvas.tint(0.45 * pockets * coverage(patch, frame.pixel), contrast)
    canvas.paint(torch.maximum(line, inside), contrast, frame.pixel, opacity=0.75 * pockets)

    ruffles = g.has("detail", "ruffles").float()
    pleats = wave(6 * shape["u"] + g["detail_place"])
    tier = coverage((shape["hem"] - 0.075).abs() - 0.075, frame.pixel)
    tier = tier * coverage(inside, frame.pixel) * ruffles
    canvas.tint(tier * (0.22 * pleats).clamp(min=0), grey(1.0))
    canvas.tint(tier * (-0.45 * pleats).clamp(min=0), grey(0.0))
    gather = torch.maximum((shape["hem"] - 0.16).abs() - 0.012, inside)
    canvas.paint(gather, 0.3 * colour[0], frame.pixel, opacity=0.8 * ruffles)


# --- backgrounds -------------------------------------------------------------------------------


def _wall(g: Garments, x: Tensor, y: Tensor) -> Tensor:
    """Plaster, with the rail on which the hanger hangs."""
    plaster = 1 + 0.05 * clouds(3 * x + 16 * g["place_phase"], 3 * y)
    rail = (y + 0.93).abs() < 0.035
    return torch.where(rail, 0.45 * plaster, plaster)


def _planks(g: Garments, x: Tensor, y: Tensor) -> Tensor:
    width = g.between("place_size", 2.0, 3.2)
    t = (x + 0.08 * y) * width + g["place_phase"]
    board = torch.floor(t)
    veins = noise(9 * t + 5 * board, 1.2 * y + 3.7 * board + 16 * g["place_phase"])
    joint = stripes(t, 0.02, 0.06)
    return (1 + 0.14 * wave(0.618 * board) + 0.10 * veins) * (1 - 0.45 * joint)


def _tiles(g: Garments, x: Tensor, y: Tensor) -> Tensor:
    width = g.between("place_size", 1.6, 2.6)
    u, v = (x + y) * 0.7 * width + g["place_phase"], (x - y) * 0.7 * width
    joint = torch.maximum(stripes(u, 0.02, 0.06), stripes(v, 0.02, 0.06))
    return (1 + 0.06 * wave(0.618 * torch.floor(u) + 0.41 * torch.floor(v))) * (1 + 0.2 * joint)


def _linen(g: Garments, x: Tensor, y: Tensor) -> Tensor:
    rumpled = clouds(1.6 * x + 16 * g["place_phase"], 1.6 * y + 2)
    return 1 + 0.13 * rumpled + 0.03 * wave(9.5 * x) + 0.03 * wave(9.5 * y)


BACKGROUNDS = (_wall, _wall, _planks, _tiles, _linen)


def background(g: Garments, frame: Frame) -> Tensor:
    """Backgrounds that garments hang before or lie on, in muted colours: `[N, 3, S, S]`."""
    kind = torch.floor(g["place"] * len(BACKGROUNDS))
    texture = _each(kind, BACKGROUNDS, g, frame.x, frame.y)
    hue, value = g["place_hue"].flatten(), g.between("place_value", 0.38, 0.95).flatten()
    wooden = kind.flatten() == 2
    saturation = g.between("place_saturation", 0.02, 0.25).flatten()
    colour = hsv(
        torch.where(wooden, 0.06 + 0.05 * hue, hue),
        torch.where(wooden, saturation + 0.2, saturation),
        value,
    )
    return colour * texture.unsqueeze(1)
