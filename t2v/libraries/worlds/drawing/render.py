"""Raster primitives of the procedural worlds: textures, colours, and a canvas to draw shapes on.

The shapes themselves, and the conventions on fields, parameters, colours and exact arithmetic, are
those of `t2v.libraries.worlds.drawing.shapes`; its names are here too.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from t2v.libraries.worlds.drawing.shapes import (  # noqa: F401
    Field,
    Frame,
    Param,
    box,
    capsule,
    circle,
    column,
    convex,
    coverage,
    dome,
    ellipse,
    intersection,
    limb,
    mix,
    petals,
    polygon,
    ramp,
    smooth_union,
    turn,
    union,
    view,
    wave,
)

LATTICE = 16  # period of the noise, a power of two

# --- textures ----------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _tables() -> tuple[Tensor, Tensor]:
    """A periodic lattice of numbers in [-1, 1], flat, and 2**20 standard normal numbers."""
    rng = np.random.Generator(np.random.Philox(19))
    lattice = rng.uniform(-1, 1, LATTICE * LATTICE).astype(np.float32)
    return torch.from_numpy(lattice), torch.from_numpy(
        rng.standard_normal(1 << 20, dtype=np.float32)
    )


def noise(x: Tensor, y: Tensor) -> Field:
    """Smooth value noise in [-1, 1] with features about one unit wide, period `LATTICE` units."""
    lattice, last = _tables()[0], LATTICE - 1
    x0, y0 = torch.floor(x), torch.floor(y)
    u, v = x - x0, y - y0
    u, v = u * u * (3 - 2 * u), v * v * (3 - 2 * v)
    j, i = x0.to(torch.int32) & last, y0.to(torch.int32) & last
    top, low = i * LATTICE, ((i + 1) & last) * LATTICE
    right = (j + 1) & last
    a = mix(lattice[top + j], lattice[top + right], u)
    b = mix(lattice[low + j], lattice[low + right], u)
    return mix(a, b, v)


def clouds(x: Tensor, y: Tensor) -> Field:
    """Two octaves of `noise`, in about [-1, 1]."""
    return 0.65 * noise(x, y) + 0.35 * noise(2.3 * x + 5.2, 2.3 * y + 1.3)


def stripes(t: Tensor, share: Param = 0.5, soft: Param = 0.15) -> Field:
    """Periodic stripes over ``t`` (period 1) that cover about ``share``; soft edges, in [0, 1]."""
    u = 2 * (t - torch.floor(t + 0.5)).abs()  # triangle: 0 on a stripe's axis, 1 between
    return ramp(u, share + soft, share - soft)


def spots(x: Tensor, y: Tensor, radius: Param, jitter: float = 0.25, soft: Param = 0.1) -> Field:
    """One round spot of ``radius`` per unit cell, shifted by up to ``jitter``; in [0, 1]."""
    row = torch.floor(y)
    x = x + 0.5 * (row - 2 * torch.floor(row * 0.5))  # every other row is shifted: no grid to see
    col = torch.floor(x)
    a = wave(col * 0.3819 + row * 0.6257) * jitter
    b = wave(col * 0.7236 + row * 0.2764 + 0.2) * jitter
    u, v = x - col - 0.5 + a, y - row - 0.5 + b
    return ramp((u * u + v * v).sqrt(), radius + soft, radius - soft)


def checks(x: Tensor, y: Tensor, soft: Param = 0.08) -> Field:
    """Chequer of unit cells, in [0, 1]."""
    a, b = stripes(x * 0.5, 0.5, soft), stripes(y * 0.5, 0.5, soft)
    return a + b - 2 * a * b


# --- colour ------------------------------------------------------------------------------------


def hsv(hue, saturation, value) -> Tensor:
    """Colours ``[B, 3, 1, 1]`` from hue (turns, any real number), saturation and value."""
    h, s, v = (torch.as_tensor(np.asarray(p, dtype=np.float32)) for p in (hue, saturation, value))
    h, s, v = (p.reshape(-1) for p in torch.broadcast_tensors(h, s, v))
    channels = []
    for shift in (0.0, 2 / 3, 1 / 3):
        u = h + shift
        k = ((u - torch.floor(u)) * 6 - 3).abs() - 1
        channels.append(v * (1 - s + s * k.clamp(0, 1)))
    return torch.stack(channels, 1).reshape(-1, 3, 1, 1)


def grey(value) -> Tensor:
    """Grey ``[B, 3, 1, 1]``."""
    return hsv(0.0, 0.0, value)


# --- drawing -----------------------------------------------------------------------------------


class Canvas:
    """A batch of pictures under the painter's algorithm: the last shape painted lies on top.

    Attributes:
        colour: ``[B, 3, S, S]``.
        height: field, how far the surface stands out; `relief` lights it.
        alpha: field, what of the subject (not the background) covers each pixel.
    """

    def __init__(self, background: Tensor, size: int):
        b = background.shape[0]
        self.colour = background.expand(b, 3, size, size).clone()
        self.height = torch.zeros(b, size, size)
        self.alpha = torch.zeros(b, size, size)

    def tint(self, cover: Field, colour: Tensor) -> None:
        """Blend ``colour`` in by ``cover`` (in [0, 1]); height and alpha stay as they are."""
        step = colour - self.colour
        step *= cover.unsqueeze(1)
        self.colour += step

    def paint(
        self,
        d: Field,
        colour: Tensor,
        pixel: Param,
        *,
        depth: Param | None = None,
        opacity: Param = 1.0,
        rim: Param = 0.0,
        lift: float = 0.0,
    ) -> Field:
        """Paint a shape, and return its coverage.

        Args:
            d: signed distances.
            colour: of the shape.
            pixel: a pixel in the units of ``d`` (`Frame.pixel`).
            depth: distance from the edge over which the body becomes round; None keeps it flat.
            opacity: of the whole shape.
            rim: width of a darker outline, in the units of ``d``; 0 for none.
            lift: height added to the shape's.
        """
        cover = coverage(d, pixel)
        if not (isinstance(opacity, float) and opacity == 1.0):
            cover = cover * opacity
        if isinstance(rim, Tensor) or rim:
            colour = colour * (1 - 0.45 * ramp(d, -rim, 0.0)).unsqueeze(1)
        self.tint(cover, colour)
        top = lift if depth is None else dome(d, depth) * depth + lift
        self.height += (top - self.height) * cover
        self.alpha += (1 - self.alpha) * cover
        return cover

    def relief(self, light_x: Param, light_y: Param, strength: Param, pixel: Param) -> None:
        """Light the height field from direction ``(light_x, light_y)``, with a soft highlight."""
        h = self.height
        gx, gy = torch.zeros_like(h), torch.zeros_like(h)
        gx[:, :, 1:-1] = h[:, :, 2:] - h[:, :, :-2]
        gy[:, 1:-1] = h[:, 2:] - h[:, :-2]
        lit = -(gx * light_x + gy * light_y) / (2 * pixel)
        lit = lit / (0.5 + lit.abs())  # saturates: edges are steep
        lit *= self.alpha
        self.colour *= (1 + strength * lit).unsqueeze(1)
        self.colour += (0.35 * strength * (lit - 0.35).clamp(min=0)).unsqueeze(1)

    def shadow(self, x: Param, y: Param, strength: float) -> None:
        """Darken the background where the subject, moved by ``(x, y)``, hides the light.

        ``x``, ``y`` are in the picture's frame, rounded to whole pixels.
        """
        size = self.alpha.shape[-1]
        index = torch.arange(size)
        dy = round(0.5 * size * y)
        dx = torch.floor(0.5 * size * torch.as_tensor(x) + 0.5).to(torch.int64).reshape(-1, 1)
        cast = self.alpha.index_select(1, (index - dy).clamp(min=0))
        columns = (index - dx).clamp(0, size - 1).unsqueeze(1)
        cast = cast.gather(2, columns.expand_as(cast))
        cast = blur(blur(cast.unsqueeze(1), 1.0, max(1, size // 48)), 1.0, max(1, size // 32))[:, 0]
        self.colour *= (1 - strength * cast * (1 - self.alpha)).unsqueeze(1)


def blur(images: Tensor, amount: Param, step: int = 1) -> Tensor:
    """Mix each image with its binomial blur (1 2 1) by ``amount``; neighbours ``step`` off."""
    soft = images
    for axis in (2, 3):
        n = images.shape[axis]
        index = torch.arange(n)
        before = soft.index_select(axis, (index - step).clamp(min=0))
        after = soft.index_select(axis, (index + step).clamp(max=n - 1))
        soft = (soft + soft + before + after) * 0.25
    if isinstance(amount, Tensor):
        amount = amount.unsqueeze(1)
    return images + (soft - images) * amount


def grain(batch: int, size: int, start) -> Tensor:
    """Standard normal sensor noise ``[B, 3, S, S]``; ``start``: ``[B]`` integers, one per image."""
    table = _tables()[1]
    n = 3 * size * size
    begin = torch.as_tensor(np.asarray(start, dtype=np.int64)).reshape(-1)
    index = (begin.reshape(-1, 1) + torch.arange(n)) & (len(table) - 1)
    return table[index].reshape(batch, 3, size, size)


def develop(
    images: Tensor,
    frame: Frame,
    *,
    light: tuple[Param, Param] = (0.0, 0.0),
    exposure: Param = 1.0,
    cast: Tensor | None = None,
    soft: Param = 0.0,
    sensor: Param = 0.0,
    start=None,
) -> Tensor:
    """From painted colours to a photograph: light, blur, colour cast, noise.

    Args:
        images: ``[B, 3, S, S]``.
        frame: the picture's own frame (`view`).
        light: gradient of the illumination over half the picture, to the right and down.
        exposure: factor.
        cast: colour ``[B, 3, 1, 1]`` that white becomes.
        soft: blur in [0, 1], see `blur`.
        sensor: standard deviation of the noise, in [0, 1] units.
        start: ``[B]`` integers that choose the noise (needed if ``sensor`` is not 0).

    Returns:
        uint8 ``[B, 3, S, S]``.
    """
    b, _, size, _ = images.shape
    out = images * ((1 + light[0] * frame.x + light[1] * frame.y) * exposure).unsqueeze(1)
    if cast is not None:
        out = out * cast
    if isinstance(soft, Tensor) or soft:
        out = blur(out, soft, max(1, round(size / 48)))
    if isinstance(sensor, Tensor) or sensor:
        level = sensor.unsqueeze(1) if isinstance(sensor, Tensor) else sensor
        out = out + grain(b, size, start) * level
    return torch.floor(out.clamp(0, 1) * 255 + 0.5).to(torch.uint8)
