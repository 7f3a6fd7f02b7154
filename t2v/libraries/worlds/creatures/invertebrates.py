"""How beetles, butterflies, medusae, stars and snails are drawn: one function per body plan.

Each takes the canvas, the creature's frame (about one unit in every direction, its head to
the right or up, y down) and its phenotype ``t``, a mapping from trait name to parameter.
"""

from __future__ import annotations

import torch

from t2v.libraries.worlds.creatures.coats import coat, colour, eye
from t2v.libraries.worlds.drawing.canvas import Canvas, grey
from t2v.libraries.worlds.drawing.shapes import (
    Frame,
    capsule,
    circle,
    convex,
    coverage,
    ellipse,
    intersection,
    limb,
    mix,
    petals,
    ramp,
    smooth_union,
    turn,
    union,
    wave,
)
from t2v.libraries.worlds.drawing.textures import noise, stripes

DARK = 0.12


def beetle(c: Canvas, f: Frame, t) -> None:
    """Draw a beetle that crawls upwards, seen from above."""
    m, trim = f.mirrored(), colour(t, "trim")
    w, n, g = t["width"], t["length"], t["legs"]
    for y, dy in ((-0.22, -0.2), (0.02, 0.04), (0.22, 0.26)):
        knee = (w * 0.8 + 0.55 * g, y + 0.35 * dy)
        c.paint(
            limb(m, [(0.5 * w, y), knee, (w * 0.9 + g, y + 1.35 * dy)], t["leg_width"], 0.013),
            trim * 0.8,
            f.pixel,
            depth=0.03,
        )
    hy = -0.26 - 1.4 * t["thorax"]
    a = t["antennae"]
    feeler = limb(
        m, [(0.05, hy), (0.1 + 0.45 * a, hy - 0.5 * a), (0.06 + a, hy - 0.6 * a)], 0.016, 0.02
    )
    jaw = limb(
        m,
        [
            (0.4 * t["head"], hy),
            (0.1 + 0.2 * t["horn"], hy - 0.7 * t["horn"]),
            (0.03, hy - 1.2 * t["horn"]),
        ],
        0.045,
        0.012,
    )
    c.paint(feeler, trim * 0.7, f.pixel)
    c.paint(jaw, trim * 0.8, f.pixel, depth=0.04, opacity=ramp(t["horn"], 0.06, 0.12))
    c.paint(ellipse(f, 0.0, hy, 1.15 * t["head"], t["head"]), trim, f.pixel, depth=0.1, rim=0.03)
    thorax = ellipse(f, 0.0, -0.24 - 0.3 * t["thorax"], 0.78 * w + 0.03, t["thorax"] + 0.06)
    c.paint(thorax, mix(colour(t, "coat", 0.75), trim, 0.5), f.pixel, depth=0.14, rim=0.03)
    wings = ellipse(f, 0.0, 0.16, w, n)
    wings = intersection(wings, -(f.y + 0.24)) - 0.02
    c.paint(wings, coat(t, f.y, m.x), f.pixel, depth=0.26, rim=0.035, lift=0.04)
    seam = coverage(m.x - 0.012 - 0.03 * t["suture"], f.pixel) * coverage(wings + 0.02, f.pixel)
    c.tint(0.85 * seam, colour(t, "mark", 0.45))
    shine = ellipse(f.moved(-0.4 * w, 0.0, 0.02), 0.0, 0.0, 0.16 * w, 0.5 * n)
    c.tint(ramp(shine, 0.04, -0.06) * (0.08 + 0.5 * t["gloss"]), grey(1.0))
    for side in (-1.0, 1.0):
        eye(c, f, side * 0.85 * t["head"], hy - 0.02, 0.035)


def butterfly(c: Canvas, f: Frame, t) -> None:
    """Draw a butterfly with spread wings, seen from above."""
    m, s = f.mirrored(), t["span"]
    dark, trim = colour(t, "mark", 0.9), colour(t, "trim")
    feeler = limb(
        m,
        [(0.01, -0.25), (0.08, -0.3 - 0.5 * t["antennae"]), (0.17, -0.28 - t["antennae"])],
        0.012,
        0.012,
    )
    knob = circle(m, 0.17, -0.28 - t["antennae"], 0.028)
    c.paint(union(feeler, knob), grey(DARK), f.pixel)
    hw = m.moved(0.02, 0.03, 0.11 + 0.2 * t["sweep"])
    hind = ellipse(hw, 0.8 * t["hind"] + 0.03, 0.0, t["hind"] + 0.02, 0.8 * t["hind"])
    tail = capsule(hw, t["hind"], 0.02, 1.6 * t["hind"] + t["tails"], 0.04, 0.05, 0.025)
    hind = torch.where(torch.as_tensor(t["tails"] > 0.07), smooth_union(hind, tail, 0.08), hind)
    fw = m.moved(0.02, -0.06, -0.07 - 0.3 * t["sweep"])
    wide = t["fore"]
    corners = [
        (0.0, -0.0),
        (1.6 * s, -0.5 * wide),
        (1.8 * s, -0.25 * wide),
        (1.5 * s, 0.55 * wide),
        (0.9 * s, 0.6 * wide),
        (0.0, 0.03),
    ]
    fore = convex(fw, corners, 0.03)
    fore = smooth_union(fore, ellipse(fw, 1.2 * s, 0.05, 0.7 * s, 0.72 * wide), 0.12)
    at = t["eyespot_at"]
    for wing, w, reach, near in ((hind, hw, 2 * t["hind"], 0.85), (fore, fw, 2.0 * s, 1.0)):
        ground = coat(t, w.x, w.y.abs()) * near
        vein = stripes(w.y / (w.x.abs() + 0.12) * 2.2, 0.1, 0.1) * ramp(t["veins"], 0.4, 0.6)
        ground = mix(ground, dark, (0.75 * vein).unsqueeze(1))
        edge = ramp(wing, -t["margin"] - 0.025, -t["margin"])
        ground = mix(ground, dark, edge.unsqueeze(1))
        spot = circle(w, at * reach, 0.0, t["eyespot"])
        c.paint(wing, ground, f.pixel, depth=0.12, rim=0.02)
        shown = ramp(t["eyespot"], 0.03, 0.05)
        c.tint(shown * coverage(spot, f.pixel), trim)
        c.tint(shown * coverage(spot + 0.5 * t["eyespot"], f.pixel), grey(DARK))
    trunk = union(capsule(f, 0.0, -0.2, 0.0, 0.3, 0.05, 0.025), circle(f, 0.0, -0.25, 0.052))
    c.paint(trunk, mix(dark, colour(t, "coat"), 0.25), f.pixel, depth=0.05, rim=0.02, lift=0.08)


def medusa(c: Canvas, f: Frame, t) -> None:
    """Draw a jellyfish that drifts upwards, seen from the side."""
    w, h, trim = t["width"], t["height"], colour(t, "trim")
    rim_y = 0.12
    n = torch.floor(torch.as_tensor(t["tentacles"])) * 2 - 1
    down = (f.y - rim_y).clamp(min=0)
    sway = t["curl"] * wave(1.4 * f.y + t["phase"]) * ramp(down, 0.0, 0.3)
    u = (f.x + sway) / w
    cell = u * (0.5 * n)
    k = torch.floor(cell + 0.5)
    length = 0.75 + 0.25 * wave(k * 0.618 + t["phase"])  # no two of a length
    wiggle = 0.16 * wave(2.2 * f.y + k * 0.37)
    thread = ((cell - k + wiggle).abs() * (2 * w / n)) - t["thread"] * (1 - 0.5 * down)
    thread = torch.maximum(thread, f.y - rim_y - t["reach"] * length)
    thread = torch.maximum(torch.maximum(thread, rim_y - 0.1 - f.y), u.abs() - 0.96)
    c.paint(thread, trim, f.pixel, depth=0.03, opacity=0.85)
    fold = 0.05 * wave(2.6 * f.y + t["phase"] + 0.3)
    arm = ((f.x + fold).abs() - 0.1).abs() - 0.06 * ramp(f.y, rim_y + t["arms"], rim_y)
    arm = torch.maximum(arm, f.y - rim_y - t["arms"])
    arm = torch.maximum(arm, rim_y - 0.15 - f.y)
    c.paint(arm, colour(t, "mark"), f.pixel, depth=0.06, opacity=0.8 * ramp(t["arms"], 0.08, 0.16))
    hem = f.y - rim_y - t["frill"] * wave(f.x / w * n * 0.5 + 0.25)
    full = ellipse(f, 0.0, rim_y, w, h)
    bell = torch.maximum(full, hem) - 0.02
    skin = coat(t, f.x, f.y - rim_y)
    skin = mix(skin, trim, (0.7 * ramp(hem, -0.12, 0.0)).unsqueeze(1))
    c.paint(bell, skin, f.pixel, depth=0.3, opacity=t["clear"], rim=0.04)
    glow = ramp(full, -0.04, -0.3) * coverage(bell, f.pixel)
    c.tint(0.3 * glow, colour(t, "coat") * 0.3 + 0.7)
    o = f.mirrored()
    organ = (ellipse(o, 0.28 * w, rim_y - 0.42 * h, 0.2 * w, 0.17 * h)).abs() - 0.02
    c.tint(0.85 * coverage(organ, f.pixel) * ramp(t["organs"], 0.45, 0.6), trim)
    shine = ellipse(f.moved(-0.4 * w, rim_y - 0.66 * h, -0.1), 0.0, 0.0, 0.26 * w, 0.08 * h)
    c.tint(0.55 * ramp(shine, 0.03, -0.04), grey(1.0))


def star(c: Canvas, f: Frame, t) -> None:
    """Draw a starfish on the sea floor, seen from above."""
    n = torch.floor(torch.as_tensor(t["arms"]))
    radius = (f.x * f.x + f.y * f.y).sqrt()
    angle = turn(f.x, f.y) * n
    across = (angle - torch.floor(angle + 0.5)) * 2
    side = across * radius * (3.0 / n)  # about the distance from an arm's axis
    fringe = 0.035 * wave(radius * 9).abs() * ramp(t["fringe"], 0.4, 0.6)
    body = petals(f, n, t["inner"], t["outer"], t["round"]) - 0.03 - fringe
    body = smooth_union(body, radius - t["disc"] - 0.08, 0.1)
    skin = coat(t, radius * 0.9, side)
    stud = stripes(radius * (6 + t["frequency"]), 0.4) * ramp(side.abs(), 0.07, 0.03)
    skin = mix(skin, colour(t, "trim"), (stud * ramp(t["studs"], 0.45, 0.6)).unsqueeze(1))
    ridge = ramp(side.abs(), 0.05, 0.0) * 0.35 * t["ridge"]
    skin = skin * (1 + ridge).unsqueeze(1)
    skin = skin * (1 + 0.1 * noise(14 * f.x + t["ox"], 14 * f.y)).unsqueeze(1)
    c.paint(body, skin, f.pixel, depth=0.17, rim=0.04)
    disc = circle(f, 0.0, 0.0, t["disc"])
    c.tint(0.75 * ramp(disc, 0.05, -0.05), colour(t, "trim", 0.9))


def snail(c: Canvas, f: Frame, t) -> None:
    """Draw a snail that crawls to the right, seen from the side."""
    skin, k = colour(t, "trim"), t["shell"]
    fx, ny = t["foot"], 0.42 - t["neck"]
    c.tint(0.4 * t["stage"] * ramp(ellipse(f, 0.0, 0.55, fx + 0.05, 0.09), 0.07, -0.05), grey(0.05))
    fold = (0.88 + 0.14 * noise(7 * f.x + t["ox"], 9 * f.y)).unsqueeze(1)
    for dx in (-0.06, 0.05):
        eye_x, eye_y = fx - 0.02 + 0.6 * t["stalks"] + dx, ny - t["stalks"]
        stalk = capsule(f, fx - 0.08 + dx, ny, eye_x, eye_y, 0.028, 0.016)
        c.paint(stalk, skin * 0.9, f.pixel, depth=0.02)
        c.paint(circle(f, eye_x, eye_y, 0.036), grey(0.08), f.pixel, depth=0.03)
    sole = capsule(f, -fx, 0.5, fx - 0.15, 0.46, 0.02, 0.1)
    neck = capsule(f, fx - 0.3, 0.44, fx - 0.06, ny, 0.11, 0.1)
    body = torch.maximum(smooth_union(sole, neck, 0.14), f.y - 0.53)
    c.paint(body, skin * fold, f.pixel, depth=0.1, rim=0.03)
    s = f.moved(-0.08, 0.42 - 0.92 * k * t["tall"], -0.05)
    s = Frame(s.x, s.y / t["tall"], s.pixel)
    radius = (s.x * s.x + s.y * s.y).sqrt()
    mouth = ellipse(s.moved(0.62 * k, 0.5 * k, 0.08), 0.0, 0.0, 0.42 * k, 0.34 * k)
    shell = smooth_union(radius - k, mouth, 0.06)
    angle = turn(s.x, s.y)
    along = (radius / k).sqrt() * t["whorls"] - angle
    within = along - torch.floor(along)  # 0 to 1 across a whorl
    face = coat(t, angle * 1.6 + 0.35 * torch.floor(along), within * 0.35)
    band = ramp((within - t["band_at"]).abs(), 0.17, 0.08) * ramp(t["bands"], 0.42, 0.58)
    face = mix(face, colour(t, "mark"), band.unsqueeze(1))
    groove = ramp((within - 0.5).abs(), 0.36, 0.5)
    face = face * (1.06 - 0.6 * groove).unsqueeze(1)
    face = face * (1 + 0.16 * (0.5 - (within - 0.45).abs())).unsqueeze(1)
    c.paint(shell, face, f.pixel, depth=0.3, rim=0.04, lift=0.08)
    lip = mouth.abs() - 0.03
    c.tint(
        0.8 * coverage(lip, f.pixel) * ramp(t["lip"], 0.5, 0.7) * ramp(s.x, 0.4 * k, 0.7 * k),
        colour(t, "coat") * 0.5 + 0.5,
    )
