"""Figures as WebP, which takes a third of the bytes of PNG where they hold photographs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from t2v._run.files import replacing


def save(figure: Figure, path: Path, quality: int = 88) -> None:
    """Write a figure as WebP, whole or not at all, and print its size."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[..., :3]
    with replacing(path) as draft:
        Image.fromarray(pixels).save(draft, "webp", quality=quality, method=6)
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")
