"""Disable TF32 in cuDNN convolutions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch.backends import cudnn


@contextmanager
def full_precision() -> Iterator[None]:
    """Context in which convolutions use full float32 precision; also a decorator.

    By default PyTorch rounds their factors to TF32 on a GPU, ten bits of mantissa: entries of an
    embedding can then differ from those of the CPU by .05 of their layer's mean
    (`data_scripts/benchmarks/devices.py` measures it).
    """
    settings = {"benchmark": cudnn.benchmark, "deterministic": cudnn.deterministic}
    with cudnn.flags(enabled=cudnn.enabled, allow_tf32=False, **settings):
        yield
