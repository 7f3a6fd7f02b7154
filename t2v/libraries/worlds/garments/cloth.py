"""The cloth of a garment: colours, patterns, materials, folds; its details; where it is laid."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from t2v.libraries.worlds.drawing import render as r
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
    """Every garment by the function of its kind: only what is needed is drawn."""
    parts = [(index, function) for k, function in enumerate(draw) if len(index := _where(kind, k))]
    out = None
    for index, function in parts:
        part = function(g.take(index), *(field[index] for field in fields))
        if out is None:
            out = part.new_empty(len(g), *part.shape[1:])
        out[index] = part
    return out


def _where(kind: Tensor, k: int) -> Tensor:
    return (kind.flatten() == k).nonzero().flatten()


# --- colours -----------------------------------------------------------------------------------


def colours(g: Garments) -> tuple[Tensor, Tensor, Tensor]:
    """The cloth's colour, that of its pattern, and a third: each `[N, 3, 1, 1]`."""
    h, dh, s, ds, v, dv = (column.flatten() for column in g.table("colour", COLOUR))
    jitter = [2 * g[name].flatten() - 1 for name in ("hue", "saturation", "value")]
    first = r.hsv(h + dh * jitter[0], s + ds * jitter[1], v + dv * jitter[2])
    light = (first[:, 0] * 0.3 + first[:, 1] * 0.6 + first[:, 2] * 0.1).flatten() > 0.42
    # a pattern is to be seen: on light cloth it is dark, on dark cloth light; half of them grey
    vivid = 0.75 * r.ramp(g["second_value"].flatten(), 0.4, 0.6)
    level = g.between("second_value", 0.0, 0.15).flatten()
    second = r.hsv(
        g["second_hue"].flatten(),
        torch.where(light, vivid, 0.35 * vivid),
        torch.where(light, 0.16 + 0.2 * vivid + level, 0.98 - level),
    )
    third = r.hsv(g["third_hue"].flatten(), 0.7, torch.where(light, 0.5, 0.9))
    return first, second, third


def lining(colour: Tensor) -> Tensor:
    """The colour of the inside: darker than light cloth, lighter than dark cloth."""
    dark = r.ramp(colour.mean(1, keepdim=True), 0.35, 0.15)
    return r.mix(0.38 * colour, 0.4 + 0.5 * colour, dark)


# --- patterns: weights of the second and the third colour, [N, 2, S, S] -------------------------


def _plain(g: Garments, u: Tensor, v: Tensor, pixel: Tensor) -> Tensor:
    return torch.zeros(len(g), 2, *u.shape[1:])


def _striped(g: Garments, u: Tensor, v: Tensor, pixel: Tensor) -> Tensor:
    period = g.between("pattern_size", 0.15, 0.30)
    upright = g["pattern_turn"] < 0.35
    along = torch.where(upright, u, v + 0.06 * (g["pattern_turn"] - 0.6) * u) / period
    second = r.stripes(
        along + g["pattern_phase"], g.between("second_hue", 0.3, 0.5), pixel / period
    )
    return torch.stack([second, torch.zeros_like(second)], 1)


def _checked(g: Garments, u: Tensor, v: Tensor, pixel: Tensor) -> Tensor:
    period = g.between("pattern_size", 0.19, 0.34)
    bands = [r.stripes(t / period + g["pattern_phase"], 0.5, pixel / period) for t in (u, v)]
    fine = [r.stripes(t / period + g["pattern_phase"] + 0.5, 0.08, pixel / period) for t in (u, v)]
    third = torch.maximum(*fine) * (g["third_hue"] < 0.5).float() * 0.7
    return torch.stack([0.45 * (bands[0] + bands[1]), third], 1)


def _dotted(g: Garments, u: Tensor, v: Tensor, pixel: Tensor) -> Tensor:
    period = g.between("pattern_size", 0.14, 0.25)
    soft = pixel / period * 0.6
    radius = g.between("pattern_turn", 0.22, 0.30)
    second = r.spots(u / period + g["pattern_phase"], v / period, radius, 0.0, soft)
    return torch.stack([second, torch.zeros_like(second)], 1)


def _floral(g: Garments, u: Tensor, v: Tensor, pixel: Tensor) -> Tensor:
    period = g.between("pattern_size", 0.27, 0.40)
    x, y = u / period + 8 + g["pattern_phase"], v / period + 8
    row = torch.floor(y)
    x = x + 0.5 * (row - 2 * torch.floor(row * 0.5))
    column = torch.floor(x)
    shift = [
        0.14 * r.wave(column * a + row * b + g["seed"]) for a, b in ((0.38, 0.62), (0.72, 0.27))
    ]
    turned = r.Frame(x - column - 0.5 + shift[0], y - row - 0.5 + shift[1], pixel / period)
    turned = turned.moved(angle=0.38 * column + 0.23 * row)
    bloom = r.coverage(r.petals(turned, 5.0, 0.13, 0.42, 0.8), turned.pixel)
    heart = r.coverage(r.circle(turned, 0.0, 0.0, 0.12), turned.pixel)
    return torch.stack([bloom, heart], 1)


def _zigzag(g: Garments, u: Tensor, v: Tensor, pixel: Tensor) -> Tensor:
    period = g.between("pattern_size", 0.20, 0.32)
    t = u / (1.1 * period) + g["pattern_phase"]
    teeth = 2 * (t - torch.floor(t + 0.5)).abs()
    second = r.stripes(v / period + 0.55 * teeth, 0.45, pixel / period)
    return torch.stack([second, torch.zeros_like(second)], 1)


PATTERNS = (_plain, _striped, _checked, _dotted, _floral, _zigzag)


# --- materials: a factor on the colour, and light added to it, [N, 2, S, S] ---------------------


def _cotton(g: Garments, u: Tensor, v: Tensor, fold: Tensor) -> Tensor:
    return torch.stack([1 + fold, torch.zeros_like(fold)], 1)


def _denim(g: Garments, u: Tensor, v: Tensor, fold: Tensor) -> Tensor:
    twill = r.wave(4.6 * u + 4.6 * v)
    worn = r.clouds(6 * u + 16 * g["seed"], 5 * v)
    bleached = r.ramp(r.noise(2.2 * u + 16 * g["seed"], 1.8 * v + 3), 0.1, 0.8)
    return torch.stack([1 + fold + 0.13 * twill + 0.18 * worn, 0.10 * bleached], 1)


def _knit(g: Garments, u: Tensor, v: Tensor, fold: Tensor) -> Tensor:
    ribs = g.between("fold_count", 5.0, 6.5)
    across = u * ribs
    rib = 2 * (across - torch.floor(across + 0.5)).abs()  # 0 on a rib's crest, 1 in the furrow
    stitch = r.wave(v * ribs * 1.25 + 0.45 * rib)
    return torch.stack([0.98 + fold - 0.42 * rib * rib + 0.22 * stitch, 0.05 * (1 - rib)], 1)


def _satin(g: Garments, u: Tensor, v: Tensor, fold: Tensor) -> Tensor:
    flow = r.wave(1.1 * u + 0.35 * v + 0.45 * r.noise(2.0 * u + 16 * g["seed"], 1.1 * v + 2))
    shine = (0.75 * flow + 1.6 * fold).clamp(min=0)
    return torch.stack([0.82 + fold + 0.20 * flow, 0.42 * shine * shine], 1)


def _fur(g: Garments, u: Tensor, v: Tensor, fold: Tensor) -> Tensor:
    bend = 0.25 * r.noise(3 * u + 16 * g["seed"], 3 * v)
    tufts = r.noise(9 * u + bend * 8, 4.5 * v + 16 * g["seed"])
    hairs = r.noise(21 * u + bend * 12 + 5, 9 * v + 16 * g["seed"])
    return torch.stack([0.90 + fold + 0.34 * tufts + 0.26 * hairs, 0.12 * tufts.clamp(min=0)], 1)


def _sequins(g: Garments, u: Tensor, v: Tensor, fold: Tensor) -> Tensor:
    x, y = 11 * u + 20, 11 * v + 20
    row = torch.floor(y)
    x = x + 0.5 * (row - 2 * torch.floor(row * 0.5))
    column = torch.floor(x)
    facing = r.wave(0.618 * column * (row + 3) + 0.414 * row + g["seed"])
    x, y = x - column - 0.5, y - row - 0.5
    disc = r.ramp(x * x + y * y, 0.26, 0.14)
    sparkle = r.ramp(facing, 0.45, 0.95) * (0.25 + 0.75 * disc)
    return torch.stack([0.66 + fold + 0.16 * facing + 0.24 * disc, 0.60 * sparkle], 1)


MATERIALS = (_cotton, _denim, _knit, _satin, _fur, _sequins)


def fabric(
    g: Garments, colour: Sequence[Tensor], frame: r.Frame, shape: dict[str, Tensor]
) -> Tensor:
    """The garment's outside, lit: `[N, 3, S, S]`."""
    u, v, pixel = shape["u"], shape["v"], torch.as_tensor(frame.pixel)
    weights = _each(g.values["pattern"], PATTERNS, g, u, v, pixel)
    albedo = r.mix(colour[0], colour[1], weights[:, :1])
    albedo = r.mix(albedo, colour[2], weights[:, 1:])

    depth, round_ = g.table("material", FOLDS)
    drape = r.wave(
        g.between("fold_count", 2.2, 4.2) * u / (0.4 + 0.6 * shape["flare"].clamp(min=0.4))
        + g["fold_phase"]
        + 0.12 * r.wave(0.8 * v + g["crease_phase"])
    )
    lean = g.between("crease_turn", -1.2, 1.2)
    crease = r.noise(2.2 * (u + lean * v) + 16 * g["crease_phase"], 1.6 * (v - lean * u) + 4)
    depth = depth * g.between("fold_depth", 0.7, 1.3)
    fold = depth * (drape * (0.25 + 0.75 * shape["flare"]) + 0.8 * crease)
    surface = _each(g.values["material"], MATERIALS, g, u, v, fold)

    body = 1 - round_ + round_ * r.dome(shape["all"], 0.22)
    seam = r.coverage((shape["sleeve"] - shape["trunk"]).abs() - 0.012, frame.pixel)
    seam = seam * r.ramp(shape["trunk"], 0.06, 0.0) * r.ramp(shape["all"], 0.02, -0.04)
    edge = r.coverage(torch.minimum(shape["hem"], shape["cuff"]).abs() - 0.06, frame.pixel)
    neck = r.coverage(shape["cut"].abs() - 0.035, frame.pixel)
    standing = r.coverage(shape["stand"].abs() - 0.012, frame.pixel)
    border = 1 - 0.25 * seam - 0.10 * edge - 0.22 * neck - 0.35 * standing
    lit = albedo * (surface[:, 0] * body * border).unsqueeze(1) + surface[:, 1:]
    stitches = g.has("material", "denim").float() * r.coverage(
        (torch.minimum(shape["hem"], shape["cuff"]) - 0.07).abs() - 0.008, frame.pixel
    )
    lit = r.mix(lit, r.hsv(0.09, 0.75, 0.85), 0.8 * stitches.unsqueeze(1))
    collar = g.has("neckline", "collar").float() * r.coverage(shape["stand"], frame.pixel)
    plain = r.mix(colour[0], colour[1], 0.35) * (1 - 0.5 * standing).unsqueeze(1)
    return r.mix(lit, plain, 0.85 * collar.unsqueeze(1))


# --- details -----------------------------------------------------------------------------------


def details(
    g: Garments,
    canvas: r.Canvas,
    colour: Sequence[Tensor],
    frame: r.Frame,
    shape: dict[str, Tensor],
) -> None:
    """Belt, buttons, pockets or ruffles, painted onto the garment (and the line of a coat)."""
    x, y = frame.x, frame.y
    inside = shape["all"]
    bright = r.hsv(g["detail_hue"].flatten(), 0.25, 0.95)
    dark = 0.35 * colour[0]
    light = (colour[0].mean(1) > 0.4).float().unsqueeze(1)
    contrast = r.mix(bright, dark, light)

    front = torch.maximum(x.abs() - 0.012, inside)
    coat = g.has("category", "coat").float()
    canvas.paint(front, 0.35 * colour[0], frame.pixel, opacity=0.8 * coat)

    belt = g.has("detail", "belt").float()
    height = g.between("detail_place", -0.03, 0.07)
    band = torch.maximum(torch.maximum((y - height).abs() - 0.045, inside), shape["trunk"] + 0.0)
    leather = r.hsv(0.07, 0.6, g.between("detail_hue", 0.12, 0.45).flatten())
    canvas.paint(band, leather, frame.pixel, opacity=belt, rim=0.02)
    buckle = r.box(frame, 0.0, height, 0.065, 0.06, 0.01).abs() - 0.018
    canvas.paint(buckle, r.hsv(0.12, 0.6, 0.9), frame.pixel, opacity=belt)

    buttons = g.has("detail", "buttons").float()
    step = g.between("detail_place", 0.12, 0.17)
    down = (y + 0.28) / step
    nearest = (torch.floor(down + 0.5)).clamp(0, 4) * step - 0.28
    disc = r.circle(frame, 0.0, nearest, 0.045)
    canvas.paint(torch.maximum(disc, inside), contrast, frame.pixel, opacity=buttons, rim=0.012)

    pockets = g.has("detail", "pockets").float()
    place = g.between("detail_place", 0.10, 0.22)
    patch = r.box(frame.mirrored(), 0.165, place, 0.095, 0.105, 0.02)
    line = torch.minimum(
        patch.abs() - 0.014, r.box(frame.mirrored(), 0.165, place - 0.075, 0.095, 0.022)
    )
    patch = torch.maximum(patch, inside)
    canvas.tint(0.45 * pockets * r.coverage(patch, frame.pixel), contrast)
    canvas.paint(torch.maximum(line, inside), contrast, frame.pixel, opacity=0.75 * pockets)

    ruffles = g.has("detail", "ruffles").float()
    pleats = r.wave(6 * shape["u"] + g["detail_place"])
    tier = r.coverage((shape["hem"] - 0.075).abs() - 0.075, frame.pixel)
    tier = tier * r.coverage(inside, frame.pixel) * ruffles
    canvas.tint(tier * (0.22 * pleats).clamp(min=0), r.grey(1.0))
    canvas.tint(tier * (-0.45 * pleats).clamp(min=0), r.grey(0.0))
    gather = torch.maximum((shape["hem"] - 0.16).abs() - 0.012, inside)
    canvas.paint(gather, 0.3 * colour[0], frame.pixel, opacity=0.8 * ruffles)


# --- backgrounds -------------------------------------------------------------------------------


def _wall(g: Garments, x: Tensor, y: Tensor) -> Tensor:
    """Plaster, with the rail on which the hanger hangs."""
    plaster = 1 + 0.05 * r.clouds(3 * x + 16 * g["place_phase"], 3 * y)
    rail = (y + 0.93).abs() < 0.035
    return torch.where(rail, 0.45 * plaster, plaster)


def _planks(g: Garments, x: Tensor, y: Tensor) -> Tensor:
    width = g.between("place_size", 2.0, 3.2)
    t = (x + 0.08 * y) * width + g["place_phase"]
    board = torch.floor(t)
    veins = r.noise(9 * t + 5 * board, 1.2 * y + 3.7 * board + 16 * g["place_phase"])
    joint = r.stripes(t, 0.02, 0.06)
    return (1 + 0.14 * r.wave(0.618 * board) + 0.10 * veins) * (1 - 0.45 * joint)


def _tiles(g: Garments, x: Tensor, y: Tensor) -> Tensor:
    width = g.between("place_size", 1.6, 2.6)
    u, v = (x + y) * 0.7 * width + g["place_phase"], (x - y) * 0.7 * width
    joint = torch.maximum(r.stripes(u, 0.02, 0.06), r.stripes(v, 0.02, 0.06))
    return (1 + 0.06 * r.wave(0.618 * torch.floor(u) + 0.41 * torch.floor(v))) * (1 + 0.2 * joint)


def _linen(g: Garments, x: Tensor, y: Tensor) -> Tensor:
    rumpled = r.clouds(1.6 * x + 16 * g["place_phase"], 1.6 * y + 2)
    return 1 + 0.13 * rumpled + 0.03 * r.wave(9.5 * x) + 0.03 * r.wave(9.5 * y)


PLACES = (_wall, _wall, _planks, _tiles, _linen)


def background(g: Garments, picture: r.Frame) -> Tensor:
    """Where the garment hangs or lies: `[N, 3, S, S]`, muted colours."""
    kind = torch.floor(g["place"] * len(PLACES))
    texture = _each(kind, PLACES, g, picture.x, picture.y)
    hue, value = g["place_hue"].flatten(), g.between("place_value", 0.38, 0.95).flatten()
    wooden = kind.flatten() == 2
    saturation = g.between("place_saturation", 0.02, 0.25).flatten()
    colour = r.hsv(
        torch.where(wooden, 0.06 + 0.05 * hue, hue),
        torch.where(wooden, saturation + 0.2, saturation),
        value,
    )
    return colour * texture.unsqueeze(1)
