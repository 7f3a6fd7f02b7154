"""Squared gradients of convolutions, gathered by hooks while autograd passes backward."""

from __future__ import annotations

from collections import defaultdict

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from t2v._numerics.gradient_norms import RowNorms, shared_row_norms
from t2v.errors import InputError


class _Root(torch.autograd.Function):
    """Makes a tensor the root of a graph, in place: below it nothing is differentiated."""

    @staticmethod
    def forward(ctx, tensor: Tensor, anchor: Tensor) -> Tensor:
        ctx.mark_dirty(tensor)
        return tensor

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[None, None]:
        return None, None


class GradientTaps:
    """Sums over images of each filter's squared gradient, by hooks, one backward pass at a time.

    Each gradient is squared as soon as the backward pass has it. No weight gradient is formed by
    autograd (parameters are frozen): a backward pass does only the half that concerns the
    activations. Weights used by several calls are collected until the pass is over, because their
    gradients add up before they are squared.

    Attributes:
        total: layer name to float64 `[C_out]`, summed over images and passes.
        uses: number of backward passes to come for one forward pass, which decides the algorithm.
    """

    def __init__(self, network: nn.Module, convs: dict[str, nn.Conv2d]):
        self.network, self.uses = network, 1
        self.names: dict[int, list[str]] = defaultdict(list)
        for name, conv in convs.items():
            self.names[_weight_key(conv)].append(name)
        self.total: dict[str, Tensor] = {}
        self._calls: dict[int, int] = defaultdict(int)
        self._waiting: dict[int, list] = defaultdict(list)
        self._handles: list[RemovableHandle] = []

    def __enter__(self) -> GradientTaps:
        # a module that was not asked for may use the weight of one that was
        for name, module in self.network.named_modules():
            if isinstance(module, nn.Conv2d) and _weight_key(module) in self.names:
                self._handles.append(module.register_forward_hook(self._forward_hook(name)))
        return self

    def __exit__(self, *_) -> None:
        for handle in self._handles:
            handle.remove()

    def _forward_hook(self, name: str):
        def hook(conv: nn.Conv2d, inputs: tuple[Tensor], output: Tensor) -> Tensor:
            if not torch.is_grad_enabled():
                raise InputError(f"layer {name}: called under no_grad, so it has no gradient")
            key = _weight_key(conv)
            self._calls[key] += 1
            image = inputs[0].detach()
            version, norms = image._version, None
            if not output.requires_grad:
                output = _Root.apply(output, torch.zeros((), requires_grad=True))

            def on_gradient(gradient: Tensor) -> None:
                nonlocal norms
                if image._version != version:
                    raise InputError(f"layer {name}: its input was changed in place after use")
                if self._calls[key] > 1:
                    self._waiting[key].append((conv, image, gradient))
                    return
                norms = norms or RowNorms(conv, image, self.uses)
                self._add(key, norms(gradient))

            output.register_hook(on_gradient)
            return output

        return hook

    def _add(self, key: int, squares: Tensor) -> None:
        summed = squares.double().sum(0)
        for name in self.names[key]:
            self.total[name] = self.total.get(name, 0) + summed

    def finish_pass(self) -> None:
        for key, calls in self._waiting.items():
            self._add(key, shared_row_norms(calls))
        self._waiting.clear()


def _weight_key(conv: nn.Conv2d) -> int:
    """The same for modules that share a weight (a parametrized weight is its module's own)."""
    return id(conv._parameters.get("weight", conv))
