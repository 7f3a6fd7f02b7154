"""Single precision that is single precision on a GPU, too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch.backends import cudnn


@contextmanager
def full_precision() -> Iterator[None]:
    """Convolutions inside keep all bits of float32; also a decorator.

    On a GPU PyTorch rounds their factors to TF32, ten bits of mantissa, unless it is told not to:
    single entries of an embedding then differ from the CPU's by up to .05 of their layer's mean
    (36 tasks, the embedded probe, an H200: `data_scripts/benchmarks/devices.py` without this).
    """
    settings = {"benchmark": cudnn.benchmark, "deterministic": cudnn.deterministic}
    with cudnn.flags(enabled=cudnn.enabled, allow_tf32=False, **settings):
        yield
