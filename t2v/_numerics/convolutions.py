"""Convolutions of a network: which there are, and a network whose parameters are frozen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from torch import nn

from t2v.errors import InputError


def convolutions(network: nn.Module, layers: Iterable[str] | None = None) -> dict[str, nn.Conv2d]:
    """The convolutions of a network by name, in its order; all, or those named by `layers`.

    Raises:
        InputError: if there is none, or a layer is unknown.
    """
    convs = {n: m for n, m in network.named_modules() if isinstance(m, nn.Conv2d)}
    if not convs:
        raise InputError(
            f"network {type(network).__name__} has no Conv2d layer: there is no filter to embed"
        )
    if layers is None:
        return convs
    layers = [layers] if isinstance(layers, str) else list(layers)
    unknown = [name for name in layers if name not in convs]
    if unknown or not layers:
        raise InputError(
            f"layers: {unknown or 'an empty list'} given, but the convolutions of "
            f"{type(network).__name__} are {', '.join(convs)}"
        )
    return {name: conv for name, conv in convs.items() if name in layers}


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Eval mode and no parameter gradients inside the block; modes and flags restored after it."""
    modes = [(module, module.training) for module in network.modules()]
    flags = [(parameter, parameter.requires_grad) for parameter in network.parameters()]
    try:
        network.eval()
        for parameter, _ in flags:
            parameter.requires_grad_(False)
        yield
    finally:
        for module, mode in modes:
            module.training = mode
        for parameter, flag in flags:
            parameter.requires_grad_(flag)
