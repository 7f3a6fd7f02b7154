"""How birds, fishes and beasts are drawn: one function per body plan.

Each takes the canvas, the creature's frame (about one unit in every direction, its head to
the right or up, y down) and its phenotype ``t``, a mapping from trait name to parameter.
"""

from __future__ import annotations

from t2v.libraries.worlds.creatures.coats import coat, colour, eye
from t2v.libraries.worlds.drawing.canvas import Canvas, grey, hsv
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
    ramp,
    smooth_union,
    union,
    wave,
)
from t2v.libraries.worlds.drawing.textures import noise, stripes


def bird(c: Canvas, f: Frame, t) -> None:
    """Draw a perched bird, seen from the side."""
    trim, dark = colour(t, "trim"), colour(t, "mark", 0.8)
    hx, hy = 0.34 + 0.25 * t["neck"], -0.26 - t["neck"]
    perch = f.y - 0.3 - t["legs"] - 0.06 * f.x
    bark = 1 + 0.3 * noise(4 * f.x + t["ox"], 14 * f.y)
    wood = hsv(0.07, 0.45, 0.36) * bark.unsqueeze(1)
    c.paint(perch.abs() - 0.05, wood, f.pixel, depth=0.05, opacity=t["stage"])
    c.alpha.zero_()
    shin = 0.28 + t["legs"]
    for x in (-0.06, 0.08):
        leg = limb(f, [(x, 0.2), (x - 0.03, shin), (x + 0.07, shin + 0.01)], 0.028, 0.018)
        c.paint(leg, trim * 0.75, f.pixel)
    tail = capsule(f, -0.3, 0.1, -0.36 - t["tail"], 0.16 + 0.2 * t["tail"], 0.1, 0.055)
    u = f.x + 0.3
    bars = stripes(t["frequency"] * u, 0.35) * ramp(t["stripe"], 0.4, 0.62)
    c.paint(
        tail, mix(colour(t, "coat", 0.75), dark, bars.unsqueeze(1)), f.pixel, depth=0.1, rim=0.03
    )
    body = ellipse(f.moved(0.0, 0.04, -0.055), 0.0, 0.0, 0.41, t["plump"])
    head = circle(f, hx, hy, t["head"])
    nape = capsule(f, 0.2, -0.05, hx, hy, 0.8 * t["plump"], 0.75 * t["head"])
    body = smooth_union(union(body, nape), head, 0.12)
    beak = convex(
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
        feather = capsule(f, hx - 0.2 * t["head"], hy - 0.5 * t["head"], *tip, 0.07, 0.015)
        c.paint(feather, trim * 0.85, f.pixel, depth=0.05, opacity=ramp(t["crest"], 0.3, 0.4))
    breast = ramp(f.y - 0.25 * f.x, -0.1, 0.15)
    c.paint(body, coat(t, f.x, f.y, breast), f.pixel, depth=0.26, rim=0.035)
    cap = ramp(f.y - hy + 0.25 * (f.x - hx), 0.02, -0.06) * coverage(head, f.pixel)
    c.tint(cap * ramp(t["cap"], 0.42, 0.58), trim * 0.9)
    w = f.moved(-0.1, 0.0, -0.035)
    wing = intersection(ellipse(w, 0.02, 0.0, 0.36, 0.66 * t["plump"]), -(w.y + 0.45 * t["plump"]))
    bar = stripes(3.0 * w.x + 0.8 * w.y + 0.2, 0.22) * ramp(t["wingbar"], 0.42, 0.58)
    feathers = mix(colour(t, "coat", 0.62), dark, ramp(w.x, 0.05, -0.4).unsqueeze(1))
    feathers = mix(feathers, trim * 0.5 + 0.45, bar.unsqueeze(1))
    c.paint(wing, feathers, f.pixel, depth=0.16, rim=0.03, lift=0.15)
    eye(c, f, hx + 0.38 * t["head"], hy - 0.12 * t["head"], 0.3 * t["head"], trim * 0.4 + 0.6)


def fish(c: Canvas, f: Frame, t) -> None:
    """Draw a fish that swims to the right, seen from the side."""
    f = f.moved(0.13)
    fin, h = colour(t, "trim"), t["depth"]
    ray = (0.82 + 0.18 * wave(9 * (f.x + 0.6 * f.y))).unsqueeze(1)
    top = ellipse(f.moved(t["dorsal_at"], -0.8 * h, -0.03), 0.0, 0.0, 0.3, t["dorsal"] + 0.06)
    low = ellipse(f.moved(-0.18, 0.78 * h, 0.05), 0.0, 0.0, 0.17, t["anal"] + 0.05)
    c.paint(union(top, low), fin * ray, f.pixel, opacity=0.92, rim=0.03)
    x, s = -0.5, t["tail"] + 0.08
    lobes = union(
        capsule(f, x, 0.0, x - s, -0.9 * s - 0.05, 0.045, 0.05),
        capsule(f, x, 0.0, x - s, 0.9 * s + 0.05, 0.045, 0.05),
    )
    back = x - s * (1.15 - 0.75 * t["fork"])
    fan = convex(f, [(x, 0.03), (back, 0.95 * s), (back, -0.95 * s), (x, -0.03)], 0.03)
    c.paint(smooth_union(lobes, fan, 0.05), fin * ray, f.pixel, rim=0.03)
    trunk = ellipse(f, 0.06, 0.0, 0.5, h)
    stalk = capsule(f, 0.0, 0.0, -0.55, 0.0, 0.7 * h, 0.055)
    nose = capsule(f, 0.3, 0.02, 0.46 + t["snout"], 0.04, 0.5 * h, 0.05)
    body = smooth_union(smooth_union(trunk, stalk, 0.1), nose, 0.1)
    skin = coat(t, f.x, f.y, ramp(f.y, -0.3 * h, 0.8 * h))
    c.paint(body, skin, f.pixel, depth=0.24, rim=0.035)
    gill = circle(f, 0.46, 0.0, 0.26).abs() - 0.008
    gill = intersection(gill, f.y.abs() - 0.62 * h) + ramp(f.x, 0.26, 0.36)
    c.tint(0.5 * coverage(gill, f.pixel), colour(t, "coat", 0.3))
    p = f.moved(0.14, 0.4 * h, 0.07)
    side = ellipse(p, -0.55 * t["fin"], 0.0, 0.9 * t["fin"], 0.36 * t["fin"])
    edge = (1 - 0.5 * ramp(side, -0.03, 0.0)).unsqueeze(1)
    c.tint(0.8 * coverage(side, f.pixel), fin * ray * edge)
    mouth = capsule(f, 0.5 + t["snout"], 0.075, 0.41 + t["snout"], 0.085, 0.012, 0.008)
    c.tint(0.7 * coverage(mouth, f.pixel), grey(0.05))
    eye(c, f, 0.39, -0.22 * h, t["eye"] + 0.015, hsv(t["trim_hue"], 0.25, 1.0))


def beast(c: Canvas, f: Frame, t) -> None:
    """Draw a standing beast, seen from the side."""
    b, lw, long = t["body"], t["leg_width"], t["legs"]
    fur = coat(t, f.x, f.y, ramp(f.y, -0.02, 0.2))
    sole = 0.16 + b * 0.6 + long
    c.tint(0.45 * t["stage"] * ramp(ellipse(f, 0.0, sole, 0.55, 0.09), 0.06, -0.06), grey(0.05))
    hoof = mix(
        colour(t, "coat", 0.85),
        colour(t, "trim", 0.5),
        ramp(f.y, sole - 0.16, sole - 0.06).unsqueeze(1),
    )
    for x in (-0.26, 0.3):
        leg = limb(
            f,
            [(x, 0.1), (x + 0.05, 0.1 + 0.55 * long), (x + 0.02, sole - 0.03)],
            lw * 1.1,
            lw * 0.7,
        )
        c.paint(leg, hoof * 0.62, f.pixel, depth=lw)
    tl = t["tail"]
    rump = (-0.42, -0.08)
    tip = (-0.5 - 0.5 * tl, 0.02 + 0.55 * tl)
    tail = limb(f, [rump, (-0.5 - 0.3 * tl, -0.1), tip], 0.035, 0.022)
    c.paint(tail, colour(t, "coat", 0.8), f.pixel, depth=0.03)
    c.paint(circle(f, tip[0], tip[1], t["tuft"]), colour(t, "mark"), f.pixel, depth=0.06)
    hx, hy = 0.46 + 0.25 * t["neck"], -0.2 - t["neck"]
    horn = limb(
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
        hsv(0.1, 0.25, 0.5 + 0.4 * t["trim_val"]),
        f.pixel,
        depth=0.03,
        rim=0.015,
        opacity=ramp(t["horns"], 0.07, 0.12),
    )
    far_ear = ellipse(f.moved(hx - 0.02, hy - 0.1, -0.21), 0.5 * t["ears"], 0.0, t["ears"], 0.05)
    c.paint(far_ear, colour(t, "coat", 0.6), f.pixel)
    trunk = capsule(f, -0.3, 0.0, 0.26, -0.02, b * 1.05, b)
    throat = capsule(f, 0.3, -0.06, hx, hy, 0.75 * b, 0.1)
    skull = circle(f, hx, hy, 0.13)
    muzzle = capsule(f, hx, hy, hx + 0.08 + t["snout"], hy + 0.07, 0.11, 0.06)
    body = smooth_union(trunk, smooth_union(throat, union(skull, muzzle), 0.06), 0.12)
    legs = (
        limb(f, [(x, 0.06), (x + 0.05, 0.12 + 0.5 * long), (x + 0.02, sole)], lw * 1.35, lw * 0.75)
        for x in (-0.36, 0.22)
    )
    near = union(*legs)
    c.paint(smooth_union(body, near, 0.07), fur, f.pixel, depth=0.2, rim=0.03)
    socks = coverage(near, f.pixel) * ramp(f.y, sole - 0.14, sole - 0.05)
    c.tint(0.9 * socks, colour(t, "trim", 0.55))
    face = coverage(circle(f, hx + 0.1 + t["snout"], hy + 0.06, 0.11), f.pixel)
    c.tint(face * coverage(muzzle, f.pixel) * ramp(t["mask"], 0.4, 0.6), colour(t, "trim"))
    nose = circle(f, hx + 0.12 + t["snout"], hy + 0.045, 0.032)
    c.tint(coverage(nose, f.pixel), grey(0.07))
    ear = ellipse(f.moved(hx - 0.05, hy - 0.09, -0.29), 0.5 * t["ears"], 0.0, t["ears"], 0.06)
    c.paint(ear, colour(t, "coat", 0.88), f.pixel, depth=0.05, rim=0.02, lift=0.1)
    eye(c, f, hx + 0.06, hy - 0.025, 0.036)
