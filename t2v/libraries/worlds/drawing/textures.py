"""Textures of the procedural worlds: noise on a lattice, clouds, stripes and spots.

They take coordinates (fields of `t2v.libraries.worlds.drawing.shapes`) in units of their own
period, and obey the same conventions and the same exact arithmetic.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from t2v.libraries.worlds.drawing.shapes import Field, Param, mix, ramp, wave

LATTICE = 16  # period of the noise, a power of two


@lru_cache(maxsize=1)
def random_tables() -> tuple[Tensor, Tensor]:
    """Fixed random numbers: ``[LATTICE²]`` in [-1, 1], and ``[2**20]`` standard normal ones."""
    rng = np.random.Generator(np.random.Philox(19))
    lattice = rng.uniform(-1, 1, LATTICE * LATTICE).astype(np.float32)
    return torch.from_numpy(lattice), torch.from_numpy(
        rng.standard_normal(1 << 20, dtype=np.float32)
    )


def noise(x: Tensor, y: Tensor) -> Field:
    """Smooth value noise in [-1, 1] with features about one unit wide, period `LATTICE` units."""
    lattice, last = random_tables()[0], LATTICE - 1
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
