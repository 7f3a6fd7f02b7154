"""How the creatures are drawn: one function per body plan.

Each takes the canvas, the creature's own frame (about one unit in every direction, its head to
the right or up, y down) and its phenotype ``t``, a mapping from trait name to parameter.
"""

from __future__ import annotations

import torch
from torch import Tensor

from t2v.libraries import render as r
from t2v.libraries.render import Canvas, Field, Frame, mix, ramp

DARK = 0.12


def colour(t, name: str, value: float = 1.0) -> Tensor:
    """Colour ``name`` of the phenotype, its brightness times ``value``."""
    return r.hsv(t[f"{name}_hue"], t[f"{name}_sat"], t[f"{name}_val"] * value)


def pattern(t, u: Field, v: Field) -> Field:
    """Where the coat carries its markings, in [0, 1]; ``u`` runs along the body, ``v`` across."""
    k, share, a = t["frequency"], t["share"], t["slant"]
    along = k * (u * r.wave(a + 0.25) + v * r.wave(a)) + 0.18 * r.noise(
        2.5 * u + t["ox"], 2.5 * v + t["oy"]
    )
    cover = r.stripes(along + t["phase"], share) * ramp(t["stripe"], 0.4, 0.62)
    dots = r.spots(k * u + t["phase"], k * v, 0.1 + 0.42 * share)
    cover = torch.maximum(cover, dots * ramp(t["spot"], 0.4, 0.62))
    patch = ramp(r.clouds(0.55 * k * u + t["ox"], 0.55 * k * v + t["oy"]) + share, 0.55, 0.7)
    return torch.maximum(cover, patch * ramp(t["blotch"], 0.45, 0.65))


def coat(t, u: Field, v: Field, shade: Field | None = None) -> Tensor:
    """The marked coat ``[B, 3, S, S]``; ``shade`` in [0, 1] is where the belly turns pale."""
    base = colour(t, "coat")
    pale = r.hsv(t["coat_hue"] + 0.02, 0.45 * t["coat_sat"], 0.35 + 0.65 * t["coat_val"])
    if shade is None:
        base = base.expand(-1, -1, *u.shape[1:])
    else:
        base = mix(base, pale, (shade * t["shade"]).unsqueeze(1))
    return mix(base, colour(t, "mark"), pattern(t, u, v).unsqueeze(1))


def eye(c: Canvas, f: Frame, x, y, size, iris: Tensor | None = None) -> None:
    """A round eye with a glint."""
    if iris is not None:
        c.paint(r.circle(f, x, y, size), iris, f.pixel, lift=0.05)
        size = 0.62 * size
    c.paint(r.circle(f, x, y, size), r.grey(0.06), f.pixel, lift=0.05)
    c.tint(
        0.9 * r.coverage(r.circle(f, x + 0.3 * size, y - 0.35 * size, 0.38 * size), f.pixel),
        r.grey(1.0),
    )


def bird(c: Canvas, f: Frame, t) -> None:
    """Perched, seen from the side."""
    trim, dark = colour(t, "trim"), colour(t, "mark", 0.8)
    hx, hy = 0.34 + 0.25 * t["neck"], -0.26 - t["neck"]
    perch = f.y - 0.3 - t["legs"] - 0.06 * f.x
    bark = 1 + 0.3 * r.noise(4 * f.x + t["ox"], 14 * f.y)
    wood = r.hsv(0.07, 0.45, 0.36) * bark.unsqueeze(1)
    c.paint(perch.abs() - 0.05, wood, f.pixel, depth=0.05, opacity=t["stage"])
    c.alpha.zero_()
    shin = 0.28 + t["legs"]
    for x in (-0.06, 0.08):
        leg = r.limb(f, [(x, 0.2), (x - 0.03, shin), (x + 0.07, shin + 0.01)], 0.028, 0.018)
        c.paint(leg, trim * 0.75, f.pixel)
    tail = r.capsule(f, -0.3, 0.1, -0.36 - t["tail"], 0.16 + 0.2 * t["tail"], 0.1, 0.055)
    u = f.x + 0.3
    bars = r.stripes(t["frequency"] * u, 0.35) * ramp(t["stripe"], 0.4, 0.62)
    c.paint(
        tail, mix(colour(t, "coat", 0.75), dark, bars.unsqueeze(1)), f.pixel, depth=0.1, rim=0.03
    )
    body = r.ellipse(f.moved(0.0, 0.04, -0.055), 0.0, 0.0, 0.41, t["plump"])
    head = r.circle(f, hx, hy, t["head"])
    nape = r.capsule(f, 0.2, -0.05, hx, hy, 0.8 * t["plump"], 0.75 * t["head"])
    body = r.smooth_union(r.union(body, nape), head, 0.12)
    beak = r.convex(
        f,
        [
            (hx + 0.5 * t["head"], hy - t["beak_depth"]),
            (hx + 0.75 * t["head"] + t["beak"], hy + 0.5 * t["beak_depth"] + 0.05),
            (hx + 0.5 * t["head"], hy + t["beak_depth"] + 0.03),
        ],
        0.008,
    )
    c.paint(beak, trim, f.pixel, depth=0.06, rim=0.015)
    plume = 0.3 + 0.8 * t["crest"]
    for back, up in ((0.2, 1.05), (0.55, 0.95), (0.85, 0.65)):
        tip = (hx - t["head"] * (back + 0.5 * plume), hy - t["head"] * (up + 0.7 * plume))
        feather = r.capsule(f, hx - 0.2 * t["head"], hy - 0.5 * t["head"], *tip, 0.07, 0.015)
        c.paint(feather, trim * 0.85, f.pixel, depth=0.05, opacity=ramp(t["crest"], 0.3, 0.4))
    breast = ramp(f.y - 0.25 * f.x, -0.1, 0.15)
    c.paint(body, coat(t, f.x, f.y, breast), f.pixel, depth=0.26, rim=0.035)
    cap = ramp(f.y - hy + 0.25 * (f.x - hx), 0.02, -0.06) * r.coverage(head, f.pixel)
    c.tint(cap * ramp(t["cap"], 0.42, 0.58), trim * 0.9)
    w = f.moved(-0.1, 0.0, -0.035)
    wing = r.intersection(
        r.ellipse(w, 0.02, 0.0, 0.36, 0.66 * t["plump"]), -(w.y + 0.45 * t["plump"])
    )
    bar = r.stripes(3.0 * w.x + 0.8 * w.y + 0.2, 0.22) * ramp(t["wingbar"], 0.42, 0.58)
    feathers = mix(colour(t, "coat", 0.62), dark, ramp(w.x, 0.05, -0.4).unsqueeze(1))
    feathers = mix(feathers, trim * 0.5 + 0.45, bar.unsqueeze(1))
    c.paint(wing, feathers, f.pixel, depth=0.16, rim=0.03, lift=0.15)
    eye(c, f, hx + 0.38 * t["head"], hy - 0.12 * t["head"], 0.3 * t["head"], trim * 0.4 + 0.6)


def fish(c: Canvas, f: Frame, t) -> None:
    """Swimming to the right, seen from the side."""
    f = f.moved(0.13)
    fin, h = colour(t, "trim"), t["depth"]
    ray = (0.82 + 0.18 * r.wave(9 * (f.x + 0.6 * f.y))).unsqueeze(1)
    top = r.ellipse(f.moved(t["dorsal_at"], -0.8 * h, -0.03), 0.0, 0.0, 0.3, t["dorsal"] + 0.06)
    low = r.ellipse(f.moved(-0.18, 0.78 * h, 0.05), 0.0, 0.0, 0.17, t["anal"] + 0.05)
    c.paint(r.union(top, low), fin * ray, f.pixel, opacity=0.92, rim=0.03)
    x, s = -0.5, t["tail"] + 0.08
    lobes = r.union(
        r.capsule(f, x, 0.0, x - s, -0.9 * s - 0.05, 0.045, 0.05),
        r.capsule(f, x, 0.0, x - s, 0.9 * s + 0.05, 0.045, 0.05),
    )
    back = x - s * (1.15 - 0.75 * t["fork"])
    fan = r.convex(f, [(x, 0.03), (back, 0.95 * s), (back, -0.95 * s), (x, -0.03)], 0.03)
    c.paint(r.smooth_union(lobes, fan, 0.05), fin * ray, f.pixel, rim=0.03)
    trunk = r.ellipse(f, 0.06, 0.0, 0.5, h)
    stalk = r.capsule(f, 0.0, 0.0, -0.55, 0.0, 0.7 * h, 0.055)
    nose = r.capsule(f, 0.3, 0.02, 0.46 + t["snout"], 0.04, 0.5 * h, 0.05)
    body = r.smooth_union(r.smooth_union(trunk, stalk, 0.1), nose, 0.1)
    skin = coat(t, f.x, f.y, ramp(f.y, -0.3 * h, 0.8 * h))
    c.paint(body, skin, f.pixel, depth=0.24, rim=0.035)
    gill = r.circle(f, 0.46, 0.0, 0.26).abs() - 0.008
    gill = r.intersection(gill, f.y.abs() - 0.62 * h) + ramp(f.x, 0.26, 0.36)
    c.tint(0.5 * r.coverage(gill, f.pixel), colour(t, "coat", 0.3))
    p = f.moved(0.14, 0.4 * h, 0.07)
    side = r.ellipse(p, -0.55 * t["fin"], 0.0, 0.9 * t["fin"], 0.36 * t["fin"])
    edge = (1 - 0.5 * ramp(side, -0.03, 0.0)).unsqueeze(1)
    c.tint(0.8 * r.coverage(side, f.pixel), fin * ray * edge)
    mouth = r.capsule(f, 0.5 + t["snout"], 0.075, 0.41 + t["snout"], 0.085, 0.012, 0.008)
    c.tint(0.7 * r.coverage(mouth, f.pixel), r.grey(0.05))
    eye(c, f, 0.39, -0.22 * h, t["eye"] + 0.015, r.hsv(t["trim_hue"], 0.25, 1.0))


def beetle(c: Canvas, f: Frame, t) -> None:
    """Crawling upwards, seen from above."""
    m, trim = f.mirrored(), colour(t, "trim")
    w, n, g = t["width"], t["length"], t["legs"]
    for y, dy in ((-0.22, -0.2), (0.02, 0.04), (0.22, 0.26)):
        knee = (w * 0.8 + 0.55 * g, y + 0.35 * dy)
        c.paint(
            r.limb(m, [(0.5 * w, y), knee, (w * 0.9 + g, y + 1.35 * dy)], t["leg_width"], 0.013),
            trim * 0.8,
            f.pixel,
            depth=0.03,
        )
    hy = -0.26 - 1.4 * t["thorax"]
    a = t["antennae"]
    feeler = r.limb(
        m, [(0.05, hy), (0.1 + 0.45 * a, hy - 0.5 * a), (0.06 + a, hy - 0.6 * a)], 0.016, 0.02
    )
    jaw = r.limb(
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
    c.paint(r.ellipse(f, 0.0, hy, 1.15 * t["head"], t["head"]), trim, f.pixel, depth=0.1, rim=0.03)
    thorax = r.ellipse(f, 0.0, -0.24 - 0.3 * t["thorax"], 0.78 * w + 0.03, t["thorax"] + 0.06)
    c.paint(thorax, mix(colour(t, "coat", 0.75), trim, 0.5), f.pixel, depth=0.14, rim=0.03)
    wings = r.ellipse(f, 0.0, 0.16, w, n)
    wings = r.intersection(wings, -(f.y + 0.24)) - 0.02
    c.paint(wings, coat(t, f.y, m.x), f.pixel, depth=0.26, rim=0.035, lift=0.04)
    seam = r.coverage(m.x - 0.012 - 0.03 * t["suture"], f.pixel) * r.coverage(wings + 0.02, f.pixel)
    c.tint(0.85 * seam, colour(t, "mark", 0.45))
    shine = r.ellipse(f.moved(-0.4 * w, 0.0, 0.02), 0.0, 0.0, 0.16 * w, 0.5 * n)
    c.tint(ramp(shine, 0.04, -0.06) * (0.08 + 0.5 * t["gloss"]), r.grey(1.0))
    for side in (-1.0, 1.0):
        eye(c, f, side * 0.85 * t["head"], hy - 0.02, 0.035)


def beast(c: Canvas, f: Frame, t) -> None:
    """Standing, seen from the side."""
    b, lw, long = t["body"], t["leg_width"], t["legs"]
    fur = coat(t, f.x, f.y, ramp(f.y, -0.02, 0.2))
    sole = 0.16 + b * 0.6 + long
    c.tint(0.45 * t["stage"] * ramp(r.ellipse(f, 0.0, sole, 0.55, 0.09), 0.06, -0.06), r.grey(0.05))
    hoof = mix(
        colour(t, "coat", 0.85),
        colour(t, "trim", 0.5),
        ramp(f.y, sole - 0.16, sole - 0.06).unsqueeze(1),
    )
    for x in (-0.26, 0.3):
        leg = r.limb(
            f,
            [(x, 0.1), (x + 0.05, 0.1 + 0.55 * long), (x + 0.02, sole - 0.03)],
            lw * 1.1,
            lw * 0.7,
        )
        c.paint(leg, hoof * 0.62, f.pixel, depth=lw)
    tl = t["tail"]
    rump = (-0.42, -0.08)
    tip = (-0.5 - 0.5 * tl, 0.02 + 0.55 * tl)
    tail = r.limb(f, [rump, (-0.5 - 0.3 * tl, -0.1), tip], 0.035, 0.022)
    c.paint(tail, colour(t, "coat", 0.8), f.pixel, depth=0.03)
    c.paint(r.circle(f, tip[0], tip[1], t["tuft"]), colour(t, "mark"), f.pixel, depth=0.06)
    hx, hy = 0.46 + 0.25 * t["neck"], -0.2 - t["neck"]
    horn = r.limb(
        f.moved(hx - 0.02, hy - 0.08),
        [
            (0.0, 0.0),
            (-0.22 * t["horns"], -0.6 * t["horns"]),
            (0.05 - 0.1 * t["horns"], -1.0 * t["horns"]),
        ],
        0.035,
        0.01,
    )
    c.paint(
        horn,
        r.hsv(0.1, 0.25, 0.5 + 0.4 * t["trim_val"]),
        f.pixel,
        depth=0.03,
        rim=0.015,
        opacity=ramp(t["horns"], 0.07, 0.12),
    )
    far_ear = r.ellipse(f.moved(hx - 0.02, hy - 0.1, -0.21), 0.5 * t["ears"], 0.0, t["ears"], 0.05)
    c.paint(far_ear, colour(t, "coat", 0.6), f.pixel)
    trunk = r.capsule(f, -0.3, 0.0, 0.26, -0.02, b * 1.05, b)
    throat = r.capsule(f, 0.3, -0.06, hx, hy, 0.75 * b, 0.1)
    skull = r.circle(f, hx, hy, 0.13)
    muzzle = r.capsule(f, hx, hy, hx + 0.08 + t["snout"], hy + 0.07, 0.11, 0.06)
    body = r.smooth_union(trunk, r.smooth_union(throat, r.union(skull, muzzle), 0.06), 0.12)
    near = None
    for x in (-0.36, 0.22):
        leg = r.limb(
            f, [(x, 0.06), (x + 0.05, 0.12 + 0.5 * long), (x + 0.02, sole)], lw * 1.35, lw * 0.75
        )
        near = leg if near is None else r.union(near, leg)
    c.paint(r.smooth_union(body, near, 0.07), fur, f.pixel, depth=0.2, rim=0.03)
    socks = r.coverage(near, f.pixel) * ramp(f.y, sole - 0.14, sole - 0.05)
    c.tint(0.9 * socks, colour(t, "trim", 0.55))
    face = r.coverage(r.circle(f, hx + 0.1 + t["snout"], hy + 0.06, 0.11), f.pixel)
    c.tint(face * r.coverage(muzzle, f.pixel) * ramp(t["mask"], 0.4, 0.6), colour(t, "trim"))
    nose = r.circle(f, hx + 0.12 + t["snout"], hy + 0.045, 0.032)
    c.tint(r.coverage(nose, f.pixel), r.grey(0.07))
    ear = r.ellipse(f.moved(hx - 0.05, hy - 0.09, -0.29), 0.5 * t["ears"], 0.0, t["ears"], 0.06)
    c.paint(ear, colour(t, "coat", 0.88), f.pixel, depth=0.05, rim=0.02, lift=0.1)
    eye(c, f, hx + 0.06, hy - 0.025, 0.036)


def butterfly(c: Canvas, f: Frame, t) -> None:
    """Wings spread, seen from above."""
    m, s = f.mirrored(), t["span"]
    dark, trim = colour(t, "mark", 0.9), colour(t, "trim")
    feeler = r.limb(
        m,
        [(0.01, -0.25), (0.08, -0.3 - 0.5 * t["antennae"]), (0.17, -0.28 - t["antennae"])],
        0.012,
        0.012,
    )
    knob = r.circle(m, 0.17, -0.28 - t["antennae"], 0.028)
    c.paint(r.union(feeler, knob), r.grey(DARK), f.pixel)
    hw = m.moved(0.02, 0.03, 0.11 + 0.2 * t["sweep"])
    hind = r.ellipse(hw, 0.8 * t["hind"] + 0.03, 0.0, t["hind"] + 0.02, 0.8 * t["hind"])
    tail = r.capsule(hw, t["hind"], 0.02, 1.6 * t["hind"] + t["tails"], 0.04, 0.05, 0.025)
    hind = torch.where(torch.as_tensor(t["tails"] > 0.07), r.smooth_union(hind, tail, 0.08), hind)
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
    fore = r.convex(fw, corners, 0.03)
    fore = r.smooth_union(fore, r.ellipse(fw, 1.2 * s, 0.05, 0.7 * s, 0.72 * wide), 0.12)
    at = t["eyespot_at"]
    for wing, w, reach, near in ((hind, hw, 2 * t["hind"], 0.85), (fore, fw, 2.0 * s, 1.0)):
        ground = coat(t, w.x, w.y.abs()) * near
        vein = r.stripes(w.y / (w.x.abs() + 0.12) * 2.2, 0.1, 0.1) * ramp(t["veins"], 0.4, 0.6)
        ground = mix(ground, dark, (0.75 * vein).unsqueeze(1))
        edge = ramp(wing, -t["margin"] - 0.025, -t["margin"])
        ground = mix(ground, dark, edge.unsqueeze(1))
        spot = r.circle(w, at * reach, 0.0, t["eyespot"])
        c.paint(wing, ground, f.pixel, depth=0.12, rim=0.02)
        shown = ramp(t["eyespot"], 0.03, 0.05)
        c.tint(shown * r.coverage(spot, f.pixel), trim)
        c.tint(shown * r.coverage(spot + 0.5 * t["eyespot"], f.pixel), r.grey(DARK))
    trunk = r.union(r.capsule(f, 0.0, -0.2, 0.0, 0.3, 0.05, 0.025), r.circle(f, 0.0, -0.25, 0.052))
    c.paint(trunk, mix(dark, colour(t, "coat"), 0.25), f.pixel, depth=0.05, rim=0.02, lift=0.08)


def flower(c: Canvas, f: Frame, t) -> None:
    """On its stem, seen from the front."""
    green = r.hsv(0.29 + 0.3 * (t["scene_hue"] - 0.29), 0.6, 0.35 + 0.25 * t["scene_light"])
    bend = t["lean"] * 0.2
    stem = r.limb(f, [(0.0, 0.0), (bend, 0.6), (0.5 * bend, 1.5)], 0.035, 0.045)
    c.paint(stem, green, f.pixel, depth=0.04, rim=0.02)
    for side, y in ((1.0, 0.72), (-1.0, 0.85)):
        blade = f.moved(bend, y, 0.25 - side * 0.17)
        d = r.ellipse(blade, 0.0, 0.0, t["leaf"] + 0.12, 0.42 * t["leaf"] + 0.02)
        tint = green * (0.85 + 0.25 * r.stripes(blade.y * 9, 0.3).unsqueeze(1))
        c.paint(d, tint, f.pixel, depth=0.1, rim=0.025)
    p = f.moved(0.0, -0.12, t["spin"])
    p = Frame(p.x, p.y / t["tilt"], p.pixel)
    n = torch.floor(torch.as_tensor(t["petals"]))
    radius = (p.x * p.x + p.y * p.y).sqrt()
    angle = r.turn(p.x, p.y) * n
    across = (angle - torch.floor(angle + 0.5)) * 2  # -1 to 1 over one petal
    part = radius / t["outer"]
    face = coat(t, part, across * 0.5)
    heart = ramp(part, 0.75, 0.2) * (0.9 * t["blush"]).clamp(min=0)
    face = mix(face, colour(t, "mark"), heart.unsqueeze(1))
    line = ramp(across.abs(), 0.22, 0.06) * ramp(part, 0.95, 0.4) * ramp(t["guide"], 0.45, 0.65)
    face = mix(face, colour(t, "mark", 0.75), (0.8 * line).unsqueeze(1))
    face = face * (1 - 0.35 * across.abs() * ramp(part, 1.0, 0.1)).unsqueeze(1)
    q = p.moved(angle=0.5 / n)
    under = r.petals(q, n, t["inner"], t["outer"] * 0.98, t["round"])
    c.paint(
        under, face * 0.72, f.pixel, depth=0.12, rim=0.03, opacity=ramp(t["second"], 0.42, 0.55)
    )
    c.paint(
        r.petals(p, n, t["inner"], t["outer"], t["round"]),
        face,
        f.pixel,
        depth=0.12,
        rim=0.03,
        lift=0.08,
    )
    seeds = r.spots(p.x * 16, p.y * 16, 0.3)
    heart = mix(colour(t, "trim"), colour(t, "trim", 0.55), seeds.unsqueeze(1))
    c.paint(r.circle(p, 0.0, 0.0, t["disc"]), heart, f.pixel, depth=0.12, rim=0.025, lift=0.1)


def medusa(c: Canvas, f: Frame, t) -> None:
    """Drifting upwards, seen from the side."""
    w, h, trim = t["width"], t["height"], colour(t, "trim")
    rim_y = 0.12
    n = torch.floor(torch.as_tensor(t["tentacles"])) * 2 - 1
    down = (f.y - rim_y).clamp(min=0)
    sway = t["curl"] * r.wave(1.4 * f.y + t["phase"]) * ramp(down, 0.0, 0.3)
    u = (f.x + sway) / w
    cell = u * (0.5 * n)
    k = torch.floor(cell + 0.5)
    own = 0.75 + 0.25 * r.wave(k * 0.618 + t["phase"])  # no two of a length
    wiggle = 0.16 * r.wave(2.2 * f.y + k * 0.37)
    thread = ((cell - k + wiggle).abs() * (2 * w / n)) - t["thread"] * (1 - 0.5 * down)
    thread = torch.maximum(thread, f.y - rim_y - t["reach"] * own)
    thread = torch.maximum(torch.maximum(thread, rim_y - 0.1 - f.y), u.abs() - 0.96)
    c.paint(thread, trim, f.pixel, depth=0.03, opacity=0.85)
    fold = 0.05 * r.wave(2.6 * f.y + t["phase"] + 0.3)
    arm = ((f.x + fold).abs() - 0.1).abs() - 0.06 * ramp(f.y, rim_y + t["arms"], rim_y)
    arm = torch.maximum(arm, f.y - rim_y - t["arms"])
    arm = torch.maximum(arm, rim_y - 0.15 - f.y)
    c.paint(arm, colour(t, "mark"), f.pixel, depth=0.06, opacity=0.8 * ramp(t["arms"], 0.08, 0.16))
    hem = f.y - rim_y - t["frill"] * r.wave(f.x / w * n * 0.5 + 0.25)
    full = r.ellipse(f, 0.0, rim_y, w, h)
    bell = torch.maximum(full, hem) - 0.02
    skin = coat(t, f.x, f.y - rim_y)
    skin = mix(skin, trim, (0.7 * ramp(hem, -0.12, 0.0)).unsqueeze(1))
    c.paint(bell, skin, f.pixel, depth=0.3, opacity=t["clear"], rim=0.04)
    glow = ramp(full, -0.04, -0.3) * r.coverage(bell, f.pixel)
    c.tint(0.3 * glow, colour(t, "coat") * 0.3 + 0.7)
    o = f.mirrored()
    organ = (r.ellipse(o, 0.28 * w, rim_y - 0.42 * h, 0.2 * w, 0.17 * h)).abs() - 0.02
    c.tint(0.85 * r.coverage(organ, f.pixel) * ramp(t["organs"], 0.45, 0.6), trim)
    shine = r.ellipse(f.moved(-0.4 * w, rim_y - 0.66 * h, -0.1), 0.0, 0.0, 0.26 * w, 0.08 * h)
    c.tint(0.55 * ramp(shine, 0.03, -0.04), r.grey(1.0))


def star(c: Canvas, f: Frame, t) -> None:
    """On the sea floor, seen from above."""
    n = torch.floor(torch.as_tensor(t["arms"]))
    radius = (f.x * f.x + f.y * f.y).sqrt()
    angle = r.turn(f.x, f.y) * n
    across = (angle - torch.floor(angle + 0.5)) * 2
    side = across * radius * (3.0 / n)  # about the distance from an arm's axis
    fringe = 0.035 * r.wave(radius * 9).abs() * ramp(t["fringe"], 0.4, 0.6)
    body = r.petals(f, n, t["inner"], t["outer"], t["round"]) - 0.03 - fringe
    body = r.smooth_union(body, radius - t["disc"] - 0.08, 0.1)
    skin = coat(t, radius * 0.9, side)
    stud = r.stripes(radius * (6 + t["frequency"]), 0.4) * ramp(side.abs(), 0.07, 0.03)
    skin = mix(skin, colour(t, "trim"), (stud * ramp(t["studs"], 0.45, 0.6)).unsqueeze(1))
    ridge = ramp(side.abs(), 0.05, 0.0) * 0.35 * t["ridge"]
    skin = skin * (1 + ridge).unsqueeze(1)
    skin = skin * (1 + 0.1 * r.noise(14 * f.x + t["ox"], 14 * f.y)).unsqueeze(1)
    c.paint(body, skin, f.pixel, depth=0.17, rim=0.04)
    disc = r.circle(f, 0.0, 0.0, t["disc"])
    c.tint(0.75 * ramp(disc, 0.05, -0.05), colour(t, "trim", 0.9))


def snail(c: Canvas, f: Frame, t) -> None:
    """Crawling to the right, seen from the side."""
    skin, k = colour(t, "trim"), t["shell"]
    fx, ny = t["foot"], 0.42 - t["neck"]
    c.tint(
        0.4 * t["stage"] * ramp(r.ellipse(f, 0.0, 0.55, fx + 0.05, 0.09), 0.07, -0.05), r.grey(0.05)
    )
    fold = (0.88 + 0.14 * r.noise(7 * f.x + t["ox"], 9 * f.y)).unsqueeze(1)
    for dx in (-0.06, 0.05):
        eye_x, eye_y = fx - 0.02 + 0.6 * t["stalks"] + dx, ny - t["stalks"]
        stalk = r.capsule(f, fx - 0.08 + dx, ny, eye_x, eye_y, 0.028, 0.016)
        c.paint(stalk, skin * 0.9, f.pixel, depth=0.02)
        c.paint(r.circle(f, eye_x, eye_y, 0.036), r.grey(0.08), f.pixel, depth=0.03)
    sole = r.capsule(f, -fx, 0.5, fx - 0.15, 0.46, 0.02, 0.1)
    neck = r.capsule(f, fx - 0.3, 0.44, fx - 0.06, ny, 0.11, 0.1)
    body = torch.maximum(r.smooth_union(sole, neck, 0.14), f.y - 0.53)
    c.paint(body, skin * fold, f.pixel, depth=0.1, rim=0.03)
    s = f.moved(-0.08, 0.42 - 0.92 * k * t["tall"], -0.05)
    s = Frame(s.x, s.y / t["tall"], s.pixel)
    radius = (s.x * s.x + s.y * s.y).sqrt()
    mouth = r.ellipse(s.moved(0.62 * k, 0.5 * k, 0.08), 0.0, 0.0, 0.42 * k, 0.34 * k)
    shell = r.smooth_union(radius - k, mouth, 0.06)
    angle = r.turn(s.x, s.y)
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
        0.8 * r.coverage(lip, f.pixel) * ramp(t["lip"], 0.5, 0.7) * ramp(s.x, 0.4 * k, 0.7 * k),
        colour(t, "coat") * 0.5 + 0.5,
    )


DRAW = {
    "birds": bird,
    "fishes": fish,
    "beetles": beetle,
    "beasts": beast,
    "butterflies": butterfly,
    "flowers": flower,
    "medusae": medusa,
    "stars": star,
    "snails": snail,
}
