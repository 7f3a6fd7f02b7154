"""Colours, the canvas that shapes are painted on, and how it becomes an image.

Fields, parameters and colours are those of `t2v.libraries.worlds.drawing.shapes`, and so is the
exact arithmetic.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from t2v.libraries.worlds.drawing.shapes import Field, Frame, Param, coverage, dome, ramp
from t2v.libraries.worlds.drawing.textures import random_tables

# --- colours -----------------------------------------------------------------------------------


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


# --- canvas ------------------------------------------------------------------------------------


class Canvas:
    """A batch of images under the painter's algorithm: the last shape painted lies on top.

    Attributes:
        colour: ``[B, 3, S, S]``.
        height: field, height of the surface, which `relief` lights.
        alpha: field, cover of each pixel by the subject (not the background), in [0, 1].
    """

    def __init__(self, background: Tensor, size: int):
        b = background.shape[0]
        self.colour = background.expand(b, 3, size, size).clone()
        self.height = torch.zeros(b, size, size)
        self.alpha = torch.zeros(b, size, size)

    def tint(self, cover: Field, colour: Tensor) -> None:
        """Blend ``colour`` in by ``cover``, in [0, 1]; height and alpha stay as they are."""
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
            colour: colour of the shape.
            pixel: size of a pixel in the units of ``d`` (`Frame.pixel`).
            depth: distance from the edge over which the body becomes round; None: it is flat.
            opacity: opacity of the whole shape.
            rim: width of a darker outline, in the units of ``d``; 0 for none.
            lift: height added to that of the shape.
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
        """Light the height field, with a soft highlight.

        Args:
            light_x: horizontal direction of the light.
            light_y: vertical direction of the light.
            strength: contrast of light and shade.
            pixel: size of a pixel in the units of the height.
        """
        h = self.height
        gx, gy = torch.zeros_like(h), torch.zeros_like(h)
        gx[:, :, 1:-1] = h[:, :, 2:] - h[:, :, :-2]
        gy[:, 1:-1] = h[:, 2:] - h[:, :-2]
        lit = -(gx * light_x + gy * light_y) / (2 * pixel)
        lit = lit / (0.5 + lit.abs())  # saturates: edges are steep
        lit *= self.alpha
        self.colour *= (1 + strength * lit).unsqueeze(1)
        self.colour += (0.35 * strength * (lit - 0.35).clamp(min=0)).unsqueeze(1)

    def shadow(self, x: Param, y: float, strength: float) -> None:
        """Darken the background where the subject, moved by ``(x, y)``, hides the light.

        Args:
            x: horizontal shift in the frame of the image, rounded to whole pixels.
            y: vertical shift in the frame of the image, rounded to whole pixels.
            strength: share of the light that is taken away, in [0, 1].
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
    """Images ``[B, C, S, S]``, mixed with their binomial blur (1 2 1).

    Args:
        images: ``[B, C, S, S]``.
        amount: weight of the blurred image, in [0, 1].
        step: distance of the neighbours in pixels.
    """
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
    """Standard normal sensor noise ``[B, 3, S, S]``.

    Args:
        batch: B, the number of images.
        size: S, their side in pixels.
        start: ``[B]`` integers that choose the noise of each image.
    """
    table = random_tables()[1]
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
    """The image a camera takes of painted colours: light, blur, colour cast, noise.

    Args:
        images: ``[B, 3, S, S]``.
        frame: frame of the image (`view`).
        light: gradient of the illumination over half the image, to the right and down.
        exposure: factor on all colours.
        cast: colour ``[B, 3, 1, 1]`` that white becomes.
        soft: amount of `blur`, in [0, 1].
        sensor: standard deviation of the noise, in [0, 1] units.
        start: ``[B]`` integers that choose the noise; needed if ``sensor`` is not 0.

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
