r"""The paper's robust Fisher information (Sect. 2.1, Supp. B): how much noise a filter tolerates.

Weights are perturbed by ``N(0, Λ⁻¹)``, one precision Λ per filter, and Λ minimises

    L(Λ, λ²) = E_w [H(w)] + β KL( N(ŵ, Λ⁻¹) ‖ N(0, λ⁻²) ),

H the mean cross entropy of the labels and λ² the precision of the weight prior, one per layer. To
second order in the noise the optimum is ``β Λ = F + β λ²``: the Fisher information plus a floor,
which is also the embedding of a task without content (the trivial embedding). `book/robust.md` has
the derivation, and why the constants printed in the paper differ.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

import numpy as np
import torch
from scipy.optimize import brentq
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from t2v._numerics.convolutions import convolutions, frozen
from t2v._numerics.precision import full_precision
from t2v.errors import InputError
from t2v.fisher import check_images

NOISES = ("local", "flipout")


class RobustFisher(dict[str, Tensor]):
    """Precision Λ of each filter's noise: layer name to float64 [C_out], on the CPU.

    ``beta * precision`` is in the units of `filter_fisher` (nats per squared weight).

    Attributes:
        prior: weight prior λ² of each layer, a precision; ``beta * prior`` is the trivial
            embedding.
        beta: weight of the KL term.
        objective: value of the objective at each step, float64 [steps]; empty for the closed form.
    """

    def __init__(
        self, precision: dict[str, Tensor], prior: dict[str, float], beta: float, objective
    ):
        super().__init__(precision)
        self.prior, self.beta, self.objective = prior, beta, objective


@full_precision()
def robust_fisher(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    beta: float,
    noise: str = "local",
    head: str | None = None,
    prior: float | None = None,
    steps: int = 400,
    batch_size: int = 32,
    learning_rate: float = 0.05,
    head_learning_rate: float = 1e-4,
    generator: torch.Generator | None = None,
    loss: Callable[[Tensor, Tensor], Tensor] = functional.cross_entropy,
) -> RobustFisher:
    """Precision of the noise that each filter of a network tolerates, by gradient descent.

    Stochastic gradient variational Bayes with Adam and a cosine schedule. The network is used in
    eval mode and left as it was.

    Args:
        network: any module from [N, 3, H, W] to logits [N, K], in float32 or float64.
        images: the network's float input, [N, 3, H, W].
        labels: int64 [N] (or what `loss` takes).
        beta: weight of the KL term, per image (`H` is a mean). Weight prior and Fisher information
            balance if ``beta`` is about twice the layer's mean squared weight times its F.
        noise: ``"local"``: independent noise at each output position, with the variance that noisy
            weights would give it (the local reparametrisation of the paper). ``"flipout"``: noisy
            weights, decorrelated between images by random signs; the noise is correlated over
            positions, as that of a shared filter is.
        head: name of a module (``"fc"``) to train as well, as in the paper; the trained copy is
            discarded. None: only the noise is trained.
        prior: fixed weight prior λ² of all layers; None: trained.
        steps: number of steps.
        batch_size: images per step; each is seen twice, with noise of either sign.
        learning_rate: initial learning rate of log Λ and log λ². Adam moves them by about
            ``steps * learning_rate / 2`` at most: below ten, the result depends on the start.
        head_learning_rate: learning rate of the head (default: the paper's).
        generator: source of batches and noise, on the CPU; None: torch's global one.
        loss: function of logits and labels, mean over the batch, nats.

    Returns:
        Λ per filter; log Λ and log λ² are averaged over the last quarter of the steps.

    Raises:
        InputError: for unusable images or networks (see `filter_fisher`), ``beta <= 0``, labels
            that do not match the images, an unknown noise or head, or an objective that is not
            finite.
    """
    convs = convolutions(network)
    check_images(network, images, batch_size)
    if not beta > 0:
        raise InputError(f"beta: got {beta}, expected a positive number")
    if len(labels) != len(images):
        raise InputError(f"labels: got {len(labels)} for {len(images)} images")
    if noise not in NOISES:
        raise InputError(f"noise: got {noise!r}, expected one of {', '.join(NOISES)}")
    if steps < 4:
        raise InputError(f"steps: got {steps}, at least 4 are needed")
    if prior is not None and not prior > 0:
        raise InputError(f"prior: got {prior}, expected a positive number or None")
    modules = dict(network.named_modules())
    if head is not None and head not in modules:
        raise InputError(f"head: {type(network).__name__} has no module {head!r}")
    parameter = next(network.parameters())
    sizes = {name: conv.weight[0].numel() for name, conv in convs.items()}
    power = {n: float(conv.weight.detach().double().square().mean()) for n, conv in convs.items()}
    # start with noise of a twentieth of the weights' power, equal for all filters of a layer
    log_precision = {
        name: parameter.new_full((conv.out_channels,), -np.log(0.05 * power[name] + 1e-12))
        for name, conv in convs.items()
    }
    log_prior = {
        name: parameter.new_tensor(np.log(prior or 1 / (power[name] + 1e-12))) for name in convs
    }
    head_parameters = {
        f"{head}.{name}": value.detach().clone().requires_grad_()
        for name, value in (modules[head].named_parameters() if head is not None else ())
    }
    trained = [*log_precision.values(), *(() if prior else log_prior.values())]
    for tensor in trained:
        tensor.requires_grad_()
    optimizer = torch.optim.Adam(
        [
            {"params": trained, "lr": learning_rate},
            {"params": list(head_parameters.values()), "lr": head_learning_rate},
        ]
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    average = {name: torch.zeros(len(v), dtype=torch.float64) for name, v in log_precision.items()}
    average_prior = dict.fromkeys(convs, 0.0)
    objective = torch.empty(steps, dtype=torch.float64)
    tail = max(1, steps // 4)
    batches = _batches(len(images), batch_size, generator)
    with frozen(network), torch.enable_grad(), ExitStack() as hooks:
        for name, conv in convs.items():
            hook = _noise_hook(log_precision[name], noise, generator)
            hooks.callback(conv.register_forward_hook(hook).remove)
        for step in range(steps):
            batch = next(batches)
            batch = torch.cat([batch, batch])  # for noise of either sign
            x, y = images[batch].detach().to(parameter), labels[batch].to(parameter.device)
            divergence = sum(
                _divergence(log_precision[n], log_prior[n], power[n], sizes[n]) for n in convs
            )
            value = loss(functional_call(network, head_parameters, (x,)), y) + beta * divergence
            if not value.isfinite():
                raise InputError(f"objective is not finite at step {step}: check images and head")
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            schedule.step()
            objective[step] = value.item()
            if step >= steps - tail:
                for name in convs:
                    average[name] += log_precision[name].detach().cpu().double() / tail
                    average_prior[name] += float(log_prior[name].detach()) / tail
    return RobustFisher(
        {name: value.exp() for name, value in average.items()},
        {name: float(np.exp(value)) for name, value in average_prior.items()},
        beta,
        objective,
    )


def closed_form(
    fisher: dict[str, Tensor], power: dict[str, float], *, beta: float, prior: float | None = None
) -> RobustFisher:
    r"""The optimum of the same objective to second order: ``Λ = F / β + λ²``.

    In each layer λ² is the root of ``λ² (mean ŵ² + mean_o 1/(F_o/β + λ²)) = 1``, which lies between
    0 (a layer that the task does not use) and ``1 / mean ŵ²``.

    Args:
        fisher: Fisher information per filter, from `filter_fisher`.
        power: mean squared weight of each layer.
        beta: weight of the KL term.
        prior: fixed weight prior λ² of all layers; None: the optimum.

    Raises:
        InputError: for ``beta <= 0``.
    """
    if not beta > 0:
        raise InputError(f"beta: got {beta}, expected a positive number")
    priors = {}
    for name, values in fisher.items():
        ratio = values.numpy() / beta
        priors[name] = _prior(ratio, power[name]) if prior is None else prior
    precision = {name: values / beta + priors[name] for name, values in fisher.items()}
    return RobustFisher(precision, priors, beta, torch.empty(0, dtype=torch.float64))


def _prior(ratio: np.ndarray, power: float) -> float:
    if not ratio.any():
        return 0.0

    def excess(log_prior: float) -> float:
        prior = np.exp(log_prior)
        return prior * power + np.mean(prior / (ratio + prior)) - 1

    # the left end is where even the largest ratio leaves the sum below 1
    ends = np.log(min(ratio.max() * 1e-12, 1e-3 / power)), -np.log(power)
    while excess(ends[0]) > 0:
        ends = ends[0] - 10, ends[1]
    return float(np.exp(brentq(excess, *ends)))


def _divergence(log_precision: Tensor, log_prior: Tensor, power: float, size: int) -> Tensor:
    """KL( N(ŵ, Λ⁻¹) ‖ N(0, λ⁻²) ) of one layer, in nats."""
    log_ratio = log_precision - log_prior
    each = log_prior.exp() * power - 1 + log_ratio + (-log_ratio).exp()
    return 0.5 * size * each.sum()


def _noise_hook(log_precision: Tensor, noise: str, generator: torch.Generator | None):
    """A hook that adds noise to a convolution's output, negated in the second half of the batch.

    To first order the two halves cancel, which leaves the curvature.
    """

    def normal(like: Tensor, shape: tuple[int, ...]) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=like.dtype).to(like.device)

    def signs(like: Tensor) -> Tensor:
        drawn = torch.randint(2, (len(like) // 2, like.shape[1], 1, 1), generator=generator)
        return drawn.to(like).mul_(2).sub_(1)

    def hook(conv: nn.Conv2d, inputs: tuple[Tensor], output: Tensor) -> Tensor:
        x, deviation = inputs[0], (-log_precision / 2).exp()
        half = (len(output) // 2, *output.shape[1:])
        if noise == "flipout":
            draw = normal(output, conv.weight.shape) * deviation.view(-1, 1, 1, 1)
            before, after = signs(x), signs(output)
            moved = conv._conv_forward(x * torch.cat([before, before]), draw, None)
            return output + moved * torch.cat([after, -after])
        ones = torch.ones_like(conv.weight[:: conv.out_channels // conv.groups])
        # Σ x² over each patch: times a filter's variance, the variance of its output
        energy = conv._conv_forward(x.square(), ones, None)
        spread = energy.clamp_min(torch.finfo(x.dtype).tiny).sqrt()
        spread = spread.repeat_interleave(conv.out_channels // conv.groups, 1)
        drawn = normal(output, half)
        return output + torch.cat([drawn, -drawn]) * spread * deviation.view(-1, 1, 1)

    return hook


def _batches(count: int, size: int, generator: torch.Generator | None):
    """Endless batches of positions; every epoch is a new permutation."""
    while True:
        yield from torch.randperm(count, generator=generator).split(size)
