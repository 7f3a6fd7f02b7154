"""Garments drawn per second, and milliseconds per image of the probe `synthetic`.

    python -m data_scripts.benchmarks.wardrobe

Two rates are printed: by wall time, and by processor time for two free cores, which does not depend
on other programs.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from t2v.libraries.worlds.garments.attributes import sample_garments
from t2v.libraries.worlds.garments.images import draw_garments
from t2v.pretrained.synthetic_net import SyntheticNet


def timed(work: Callable, images: int, repeats: int) -> tuple[float, float]:
    """Smallest wall time and processor time per image, in seconds.

    Args:
        work: function to time.
        images: number of images that it handles.
        repeats: number of calls.
    """
    wall, busy = [], []
    for _ in range(repeats):
        start, ran = time.perf_counter(), time.process_time()
        work()
        wall.append((time.perf_counter() - start) / images)
        busy.append((time.process_time() - ran) / images)
    return min(wall), min(busy)


def main(images: int = 640, batch: int = 64, repeats: int = 5) -> None:
    """Print one line for the drawing and one for the probe."""
    torch.set_num_threads(1)
    garments = sample_garments(images, torch.Generator().manual_seed(0))
    wall, busy = timed(lambda: draw_garments(garments), images, repeats)
    print(f"drawing  {1 / wall:7.0f} images/s as it is, {2 / busy:7.0f} on two free cores")

    network = SyntheticNet(2).to(memory_format=torch.channels_last).eval().requires_grad_(False)
    x = torch.randn(batch, 3, 48, 48).contiguous(memory_format=torch.channels_last)
    x.requires_grad_(True)
    wall, busy = timed(lambda: network(x).sum().backward(), batch, 4 * repeats)
    print(
        f"probe    {1e3 * wall:7.2f} ms per image, forward and backward, as it is; "
        f"{1e3 * busy / 2:.2f} on two free cores"
    )


if __name__ == "__main__":
    main()
