"""Small drawings whose form and colours say what they show, saved as publishers save theirs."""

from __future__ import annotations

import colorsys
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

SIDE = 48


def creature(kind: str, group: str, number: int) -> Image.Image:
    """A drawing of a species: its group decides the form, the species itself the colours.

    Colours of a group's species are near each other and vary, so that some are mistaken.

    Args:
        kind: name of the species.
        group: name of its order or family.
        number: number of the drawing, which decides place, size and light.
    """
    rng = _rng(kind, group, number)
    of_kind, of_group = _rng(kind), _rng(group)
    canvas, draw = _canvas(rng, _colour(of_group.random(), 0.25, 0.85))
    hue = of_group.random() + of_kind.uniform(-0.15, 0.15) + rng.normal(0, 0.06)
    body = _colour(hue % 1, 0.8, 0.7 + rng.uniform(-0.2, 0.2))
    spots = _colour(of_kind.random(), 0.8, 0.3 + 0.5 * of_kind.random())
    width, height = of_group.uniform(0.2, 0.42, 2) * SIDE * rng.uniform(0.7, 1.2)
    x, y = SIDE / 2 + rng.uniform(-8, 8, 2)
    points = int(of_group.integers(3, 9))
    angles = rng.uniform(0, 1.5) + np.arange(2 * points) * np.pi / points
    depth = np.where(np.arange(2 * points) % 2, of_group.uniform(0.4, 1), 1)
    outline = [
        (x + width * r * np.cos(a), y + height * r * np.sin(a))
        for a, r in zip(angles, depth, strict=True)
    ]
    draw.polygon(outline, fill=body)
    for _ in range(int(of_kind.integers(1, 7))):
        u, v = x + rng.uniform(-width, width) / 2, y + rng.uniform(-height, height) / 2
        draw.ellipse((u - 2, v - 2, u + 2, v + 2), fill=spots)
    return canvas


def garment(traits: dict[str, str], number: int) -> Image.Image:
    """A drawing of a garment.

    Args:
        traits: `colour`, a hue from 0 to 1; `form`: upper, lower, full or shoes; `sleeve`: long,
            short or none; `pattern`: plain, stripes or dots.
        number: number of the drawing, which decides place, size and light.
    """
    rng = _rng("garment", *sorted(traits.values()), number)
    canvas, draw = _canvas(rng, (230, 230, 230))
    colour = _colour(float(traits["colour"]), 0.85, rng.uniform(0.6, 0.85))
    dark = (40, 40, 40)
    left, top = 14 + rng.uniform(-3, 3), 8 + rng.uniform(-3, 3)
    box = {"upper": (20, 22), "lower": (18, 30), "full": (20, 36), "shoes": (28, 10)}
    width, height = box[traits["form"]]
    top += 16 if traits["form"] == "shoes" else 0
    right, bottom = left + width, top + height
    draw.rectangle((left, top, right, bottom), fill=colour)
    if traits["form"] == "lower":
        draw.rectangle((left + 7, top + 9, right - 7, bottom), fill=(230, 230, 230))
    length = {"long": 18, "short": 7, "none": 0}[traits["sleeve"]]
    if length and traits["form"] in ("upper", "full"):
        draw.rectangle((left - 6, top, left, top + length), fill=colour)
        draw.rectangle((right, top, right + 6, top + length), fill=colour)
    if traits["pattern"] == "stripes":
        for y in range(int(top) + 2, int(bottom), 5):
            draw.line((left, y, right, y), fill=dark, width=2)
    if traits["pattern"] == "dots":
        for x in range(int(left) + 3, int(right), 6):
            for y in range(int(top) + 3, int(bottom), 6):
                draw.ellipse((x - 1, y - 1, x + 1, y + 1), fill=dark)
    return canvas


def save(image: Image.Image, path: Path, mode: str = "RGB") -> None:
    """Write a JPEG file.

    Args:
        image: the drawing.
        path: the file; its folder is made if needed.
        mode: "RGB", or "L" and "CMYK" as some files of the publishers are.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    image.convert(mode).save(path, quality=90)


def _canvas(
    rng: np.random.Generator, ground: tuple[int, int, int]
) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    noise = rng.normal(0, 20, (SIDE, SIDE, 3)) + rng.uniform(-30, 30)
    pixels = np.clip(np.array(ground) + noise, 0, 255).astype(np.uint8)
    canvas = Image.fromarray(pixels)
    return canvas, ImageDraw.Draw(canvas)


def _colour(hue: float, saturation: float, value: float) -> tuple[int, int, int]:
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation, value)
    return int(255 * red), int(255 * green), int(255 * blue)


def _rng(*key: object) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(repr(key).encode()))
