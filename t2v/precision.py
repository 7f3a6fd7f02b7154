"""Single precision that is single precision on a GPU, too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch.backends import cudnn


@contextmanager
def full_precision() -> Iterator[None]:
    """Convolutions inside keep all bits of float32; also a decorator.

    On a GPU PyTorch rounds their factors to TF32, ten bits of mantissa, unless it is told not to:
    single entries of an embedding then differ from the CPU's by a tenth of their layer's mean.
    """
    settings = {"benchmark": cudnn.benchmark, "deterministic": cudnn.deterministic}
    with cudnn.flags(enabled=cudnn.enabled, allow_tf32=False, **settings):
        yield
