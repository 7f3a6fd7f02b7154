"""Shapes as signed distances on batches of pixel grids, and the arithmetic they need.

Conventions
    * A *field* is a float32 tensor ``[B, S, S]``: one number per pixel of each image.
    * A *parameter* is a float or a tensor ``[B, 1, 1]``: one number per image (see `column`).
    * A *colour* is ``[B, 3, 1, 1]`` (one per image, see `hsv`) or ``[B, 3, S, S]``, in [0, 1].
    * A shape is a field of signed distances, negative inside, in the units of its `Frame`; the
      frame of an image runs from -1 (left, top) to 1 (right, bottom), so y points down.

The functions here use only operations that IEEE 754 rounds correctly (+, -, *, /, sqrt, floor,
min, max), never `sin`, `exp`, a convolution or a sum over pixels: the bytes of an image do
not depend on the batch it is drawn in, on the number of threads or on the vector unit.

Distances follow I. Quilez, "2D distance functions" (iquilezles.org/articles/distfunctions2d).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

Field = Tensor
Param = Tensor | float


def column(values) -> Tensor:
    """``[B]`` numbers as a parameter ``[B, 1, 1]`` (float32)."""
    return torch.as_tensor(np.asarray(values, dtype=np.float32)).reshape(-1, 1, 1)


# --- numbers -----------------------------------------------------------------------------------


def wave(t: Tensor) -> Tensor:
    """``sin(2 pi t)`` to 2e-4, by a polynomial on a folded quarter turn."""
    u = t - torch.floor(t + 0.5)
    a = u.abs()
    b = 6.2831853 * (0.25 - (a - 0.25).abs())
    s = b * b
    return torch.where(u < 0, -b, b) * (1 - s * (0.16666667 - s * (0.0083333 - s * 0.00019841)))


def turn(x: Tensor, y: Tensor) -> Tensor:
    """Angle of ``(x, y)`` in turns, (-0.5, 0.5], from the x axis towards y; error below 5e-4."""
    ax, ay = x.abs(), y.abs()
    q = torch.minimum(ax, ay) / (torch.maximum(ax, ay) + 1e-9)
    s = q * q
    a = q * (0.1591549 - s * (0.0529 - s * (0.0304 - s * 0.0117)))
    a = torch.where(ay > ax, 0.25 - a, a)
    a = torch.where(x < 0, 0.5 - a, a)
    return torch.where(y < 0, -a, a)


def ramp(t: Tensor, low: Param = 0.0, high: Param = 1.0) -> Tensor:
    """Smooth step from 0 (``t <= low``) to 1 (``t >= high``); falls if ``high < low``."""
    u = ((t - low) / (high - low)).clamp(0, 1)
    return u * u * (3 - 2 * u)


def mix(a, b, weight):
    """``a`` where ``weight`` is 0, ``b`` where it is 1."""
    return a + (b - a) * weight


# --- coordinates -------------------------------------------------------------------------------


@dataclass
class Frame:
    """Coordinates of every pixel in the frame of a shape.

    Attributes:
        x: field, to the right (or forwards).
        y: field, down.
        pixel: parameter, size of a pixel in the units of the frame, for `coverage`.
    """

    x: Field
    y: Field
    pixel: Param

    def moved(
        self, x: Param = 0.0, y: Param = 0.0, angle: Param = 0.0, scale: Param = 1.0
    ) -> Frame:
        """Frame of a part at ``(x, y)``, turned by ``angle`` turns, ``scale`` times as large."""
        u, v = (self.x - x) / scale, (self.y - y) / scale
        if isinstance(angle, Tensor) or angle:
            a = torch.as_tensor(angle, dtype=torch.float32)
            c, s = wave(a + 0.25), wave(a)
            u, v = u * c + v * s, v * c - u * s
        return Frame(u, v, self.pixel / scale)

    def mirrored(self, axis: str = "x") -> Frame:
        """Frame folded on an axis: what is drawn on the positive side appears on both sides."""
        if axis == "x":
            return Frame(self.x.abs(), self.y, self.pixel)
        return Frame(self.x, self.y.abs(), self.pixel)


def view(size: int, batch: int) -> Frame:
    """The frame of an image: pixel centres in (-1, 1)."""
    c = (torch.arange(size, dtype=torch.float32) * 2 + 1) / size - 1
    return Frame(
        c.reshape(1, 1, size).expand(batch, size, size).contiguous(),
        c.reshape(1, size, 1).expand(batch, size, size).contiguous(),
        2.0 / size,
    )


# --- shapes ------------------------------------------------------------------------------------


def circle(f: Frame, x: Param, y: Param, r: Param) -> Field:
    """Disc of radius ``r`` around ``(x, y)``; exact."""
    u, v = f.x - x, f.y - y
    return (u * u + v * v).sqrt() - r


def ellipse(f: Frame, x: Param, y: Param, rx: Param, ry: Param) -> Field:
    """Ellipse with half axes ``rx``, ``ry``; exact on its edge, first order beside it."""
    u, v = (f.x - x) / rx, (f.y - y) / ry
    k0 = (u * u + v * v).sqrt()
    u, v = u / rx, v / ry
    return k0 * (k0 - 1) / ((u * u + v * v).sqrt() + 1e-4)


def capsule(f: Frame, x0: Param, y0: Param, x1: Param, y1: Param, r0: Param, r1: Param) -> Field:
    """Limb from ``(x0, y0)`` (radius ``r0``) to ``(x1, y1)`` (``r1``); exact if ``r0 == r1``."""
    u, v = f.x - x0, f.y - y0
    dx, dy = x1 - x0, y1 - y0
    t = ((u * dx + v * dy) / (dx * dx + dy * dy + 1e-8)).clamp(0, 1)
    u, v = u - t * dx, v - t * dy
    return (u * u + v * v).sqrt() - (r0 + t * (r1 - r0))


def limb(f: Frame, points: list[tuple[Param, Param]], r0: Param, r1: Param) -> Field:
    """Chain of capsules through ``points``, tapering from ``r0`` to ``r1``."""
    n = len(points) - 1
    d = torch.tensor(torch.inf)
    for i, ((xa, ya), (xb, yb)) in enumerate(zip(points, points[1:], strict=False)):
        part = capsule(f, xa, ya, xb, yb, r0 + (r1 - r0) * (i / n), r0 + (r1 - r0) * ((i + 1) / n))
        d = torch.minimum(d, part)
    return d


def box(f: Frame, x: Param, y: Param, hx: Param, hy: Param, corner: Param = 0.0) -> Field:
    """Rectangle with half sides ``hx``, ``hy`` and rounded corners; exact."""
    u, v = (f.x - x).abs() - (hx - corner), (f.y - y).abs() - (hy - corner)
    p, q = u.clamp(min=0), v.clamp(min=0)
    return (p * p + q * q).sqrt() + torch.maximum(u, v).clamp(max=0) - corner


def convex(f: Frame, points: list[tuple[Param, Param]], corner: Param = 0.0) -> Field:
    """Convex polygon through ``points``, clockwise as seen (y down), grown by ``corner``.

    The distance is that to the nearest side's line: exact inside, a lower bound at corners.
    """
    d = torch.tensor(-torch.inf)
    for (xa, ya), (xb, yb) in zip(points, points[1:] + points[:1], strict=True):
        ex, ey = xb - xa, yb - ya
        length = torch.as_tensor(ex * ex + ey * ey + 1e-8, dtype=torch.float32).sqrt()
        side = (f.x - xa) * (ey / length) - (f.y - ya) * (ex / length)
        d = torch.maximum(d, side)
    return d - corner


def polygon(f: Frame, points: list[tuple[Param, Param]], corner: Param = 0.0) -> Field:
    """Any simple polygon through ``points``, grown by ``corner``; exact."""
    best, sign = torch.tensor(torch.inf), torch.tensor(False)
    for (xa, ya), (xb, yb) in zip(points, points[1:] + points[:1], strict=True):
        ex, ey = xb - xa, yb - ya
        u, v = f.x - xa, f.y - ya
        t = ((u * ex + v * ey) / (ex * ex + ey * ey + 1e-8)).clamp(0, 1)
        p, q = u - t * ex, v - t * ey
        near = p * p + q * q
        # crossing rule: a side that spans this row, to the right of the pixel, flips the sign
        spans = (v >= 0) != (f.y - yb >= 0)
        flip = spans & ((v * ex - u * ey > 0) == torch.as_tensor(ey > 0))
        best, sign = torch.minimum(best, near), sign ^ flip
    d = best.sqrt()
    return torch.where(sign, -d, d) - corner


def petals(f: Frame, count: Param, inner: Param, outer: Param, round_: Param = 0.5) -> Field:
    """Flower or star of ``count`` lobes between radii ``inner`` and ``outer``.

    ``round_`` 1 gives round petals, 0 straight ones, -1 thorns. First order beside its edge.
    """
    r = (f.x * f.x + f.y * f.y).sqrt()
    t = turn(f.x, f.y) * count
    lobe = 1 - 2 * (t - torch.floor(t + 0.5)).abs()  # 1 on a petal's axis, 0 between two
    up = lobe * (2 - lobe)
    down = lobe * lobe
    shape = torch.where(
        torch.as_tensor(round_) > 0, mix(lobe, up, round_), mix(lobe, down, -round_)
    )
    return (r - (inner + (outer - inner) * shape)) * 0.7


def union(*shapes: Field) -> Field:
    """Union of shapes."""
    d = shapes[0]
    for other in shapes[1:]:
        d = torch.minimum(d, other)
    return d


def smooth_union(a: Field, b: Field, k: Param) -> Field:
    """Union with a fillet of width ``k`` (polynomial smooth minimum)."""
    h = (k - (a - b).abs()).clamp(min=0) / k
    return torch.minimum(a, b) - h * h * k * 0.25


def intersection(a: Field, b: Field) -> Field:
    """Intersection of two shapes."""
    return torch.maximum(a, b)


def coverage(d: Field, pixel: Param) -> Field:
    """Share of each pixel that lies inside, in [0, 1]: analytic anti-aliasing."""
    return (0.5 - d / pixel).clamp(0, 1)


def dome(d: Field, depth: Param) -> Field:
    """Height in [0, 1] of a body inflated from its outline: a quarter circle over ``depth``."""
    t = (-d / depth).clamp(0, 1)
    return (t * (2 - t)).sqrt()
