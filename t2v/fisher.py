r"""The Fisher information of a network's filters (Task2Vec, section 2).

With ``p(y|x)`` the network's own prediction, not the labels, the Fisher information matrix is
``F = E_x E_{y~p(y|x)} [∇ log p(y|x) ∇ log p(y|x)ᵀ]``. An embedding needs its diagonal only,
averaged over the weights of each filter. Written with the logits ``z(x)`` and their Jacobian ``J``,

    F = E_x Jᵀ (diag p − p pᵀ) J,        diag p − p pᵀ = A Aᵀ,        A: [K, K − 1],

so one backward pass per column of ``A`` gives ``F`` without sampling. `A` is the Cholesky factor,
which is known in closed form: column ``c`` compares class ``c`` with the classes after it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn

from t2v._numerics.convolutions import convolutions, frozen
from t2v._numerics.gradient_norms import cached_bytes
from t2v._numerics.gradient_taps import GradientTaps
from t2v._numerics.precision import full_precision
from t2v.errors import InputError

ESTIMATORS = ("exact", "sketch", "sample")

# Bytes of activations held at once when `batch_size` is None: on the CPU, and as a share of a GPU.
CPU_BUDGET = 128 * 2**20  # more is slower: caches
GPU_SHARE = 0.25


def filter_fisher(
    network: nn.Module,
    images: Tensor,
    *,
    estimator: str = "exact",
    passes: int = 1,
    generator: torch.Generator | None = None,
    batch_size: int | None = None,
    layers: Iterable[str] | None = None,
) -> dict[str, Tensor]:
    """Diagonal Fisher information of every `Conv2d` of a network, averaged over each filter.

    The network is used in eval mode (batch norm with its running statistics, no dropout) and left
    as it was: mode, hooks, gradients and `requires_grad`.

    Estimators (K classes):

    * ``"exact"``: the expectation over labels in full, by K − 1 backward passes.
    * ``"sketch"``: `passes` backward passes. The columns of the Fisher's square root are assigned
      to the passes so that these carry similar weight, and each pass backpropagates the sum of its
      columns with random signs. Unbiased; with ``passes >= K - 1`` it is exact. A pass costs about
      a plain forward and backward pass.
    * ``"sample"``: `passes` labels per image drawn from the model, one backward pass each.
      Unbiased, but noisy where the model is confident: the rare labels that carry the Fisher
      information are seldom drawn.

    Args:
        network: any module from [N, 3, H, W] to logits [N, K], in float32 or float64. Images must
            not influence each other's logits (batch norm without running statistics is refused).
        images: the network's float input, [N, 3, H, W]; moved to the network's device in batches.
        estimator: ``"exact"``, ``"sketch"`` or ``"sample"``.
        passes: backward passes per image for ``"sketch"`` and ``"sample"``.
        generator: source of the random signs and labels; None: torch's global one. The draws do
            not depend on `batch_size`.
        batch_size: number of images at once; None: as many as fit a memory budget (128 MiB of
            activations on the CPU, a quarter of the memory on a GPU). The result does not depend
            on it beyond rounding.
        layers: names of the convolutions; None: all.

    Returns:
        For each convolution, by its name in `network.named_modules()`, float64 [C_out] on the CPU,
        the mean over images and over the filter's weights (bias not counted) of the squared
        gradient of log p. Weights that two modules share get the gradient of their sum; a filter
        that does not influence the logits (an auxiliary head in eval mode) gets 0.

    Raises:
        InputError: no images or no convolutions, unknown estimator or layer, ``passes < 1``, logits
            that are not finite or not [N, K >= 2].

    Examples:
        >>> network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 6 * 6, 2))
        >>> fisher = filter_fisher(network, torch.rand(5, 3, 8, 8))
        >>> {name: (values.shape, bool((values > 0).all())) for name, values in fisher.items()}
        {'0': (torch.Size([4]), True)}
    """
    convs = convolutions(network, layers)
    parameter = next(network.parameters())
    if estimator not in ESTIMATORS:
        raise InputError(f"estimator: got {estimator!r}, expected one of {', '.join(ESTIMATORS)}")
    if passes < 1:
        raise InputError(f"passes: got {passes}, at least 1 is needed")
    check_images(network, images, batch_size)
    if parameter.dtype not in (torch.float32, torch.float64):
        raise InputError(f"network: got {parameter.dtype} weights, expected float32 or float64")
    images = images.detach()
    total = {
        name: torch.zeros(conv.out_channels, dtype=torch.float64) for name, conv in convs.items()
    }
    draws = None
    with frozen(network), full_precision(), torch.inference_mode(False), torch.enable_grad():
        if batch_size is None:
            batch_size = _batch_size(network, convs, images[:1].to(parameter), estimator, passes)
        for start in range(0, len(images), batch_size):
            batch = images[start : start + batch_size].to(parameter)
            with GradientTaps(network, convs) as taps:
                logits = _checked(network(batch), start, len(batch))
                if draws is None:
                    draws = _draws(estimator, passes, len(images), logits.shape[1], generator)
                of_batch = draws[start : start + batch_size].to(logits.device)
                columns = list(_covectors(estimator, logits.detach().double(), passes, of_batch))
                taps.uses = len(columns)
                for i, column in enumerate(columns):
                    logits.backward(column.to(logits), retain_graph=i + 1 < len(columns))
                    taps.finish_pass()
            for name, squares in taps.total.items():
                total[name] += squares.cpu()
    if estimator == "sample":
        total = {name: squares / passes for name, squares in total.items()}
    return {
        name: squares / (len(images) * convs[name].weight[0].numel())
        for name, squares in total.items()
    }


def check_images(network: nn.Module, images: Tensor, batch_size: int | None) -> None:
    """Refuse images, or a network, whose Fisher information is not defined.

    Raises:
        InputError: naming the argument.
    """
    if batch_size is not None and batch_size < 1:
        raise InputError(f"batch_size: got {batch_size}, at least 1 (or None) is needed")
    if images.ndim != 4 or not len(images):
        raise InputError(f"images: got shape {tuple(images.shape)}, expected [N >= 1, C, H, W]")
    if not images.is_floating_point():
        raise InputError(
            f"images: got {images.dtype}, expected floats (Probe.preprocess makes them)"
        )
    for name, module in network.named_modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.running_mean is None:
            raise InputError(
                f"layer {name}: batch norm without running statistics mixes the images of a batch, "
                "so the Fisher information of one image is not defined"
            )


def _checked(logits: Tensor, start: int, count: int) -> Tensor:
    shape = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
    if not isinstance(logits, Tensor) or logits.ndim != 2 or len(logits) != count or shape[1] < 2:
        raise InputError(
            f"network: returned {shape} for {count} images, expected logits [N, K >= 2]"
        )
    bad = (~logits.isfinite().all(1)).nonzero().flatten()
    if len(bad):
        raise InputError(
            f"network: logits of image {start + int(bad[0])} are not finite; check the image and "
            "the head"
        )
    if not logits.requires_grad:
        raise InputError("network: its logits depend on none of the convolutions asked for")
    return logits


def _draws(
    estimator: str, passes: int, images: int, classes: int, generator: torch.Generator | None
) -> Tensor:
    """All random numbers of a call, per image, so that batches do not matter."""
    device = generator.device if generator is not None else "cpu"
    if estimator == "sketch":
        bits = torch.randint(
            2, (images, classes - 1), generator=generator, device=device, dtype=torch.int8
        )
        return bits.mul_(2).sub_(1)
    if estimator == "sample":
        return torch.rand(images, passes, generator=generator, device=device, dtype=torch.float64)
    return torch.empty(images, 0)


def _covectors(estimator: str, logits: Tensor, passes: int, draws: Tensor) -> Iterator[Tensor]:
    """Vectors v [N, K] whose outer products sum to diag p − p pᵀ (in expectation)."""
    p = logits.softmax(1)
    classes = p.shape[1]
    if estimator == "sample":
        labels = torch.searchsorted(p.cumsum(1), draws).clamp_(max=classes - 1)
        for y in labels.T:
            yield nn.functional.one_hot(y, classes) - p
        return
    if estimator == "exact":
        for c in range(classes - 1):
            weights = torch.zeros_like(p)
            weights[:, c] = 1
            yield _root_times(p, weights)
        return
    p, order = p.sort(stable=True, dim=1, descending=True)
    num_passes = min(passes, classes - 1)
    # columns, heaviest first, go to passes in snake order (0 1 2 2 1 0 0 1 ...), so that passes
    # carry similar weight
    column = torch.arange(classes - 1, device=p.device) % (2 * num_passes)
    assignment = torch.minimum(column, 2 * num_passes - 1 - column)
    for k in range(num_passes):
        weights = torch.zeros_like(p)
        weights[:, :-1] = draws * (assignment == k)
        yield torch.zeros_like(p).scatter_(1, order, _root_times(p, weights))


def _root_times(p: Tensor, weights: Tensor) -> Tensor:
    """``A w`` for the Cholesky factor A of diag p − p pᵀ.

    With tails ``s_c = p_c + p_{c+1} + …`` and ``q_c = s_{c+1}``, column c is
    ``sqrt(p_c / (q_c s_c))`` times ``q_c`` at c, ``−p_j`` at later j, 0 at earlier ones.
    Sums of positive numbers only: nothing cancels.
    """
    s = p.flip(1).cumsum(1).flip(1)
    q = torch.cat([s[:, 1:], torch.zeros_like(s[:, :1])], 1)
    # a column whose later classes have less than 1e-200 contributes nothing, and would overflow
    scaled = weights * torch.where(q > 1e-200, p / s / q, 0).sqrt()
    before = torch.cat([torch.zeros_like(s[:, :1]), scaled.cumsum(1)[:, :-1]], 1)
    return scaled * q - p * before


def _batch_size(
    network: nn.Module, convs: dict[str, nn.Conv2d], image: Tensor, estimator: str, passes: int
) -> int:
    """Number of images that fit the memory budget, from what autograd saves for one image."""
    permanent = {
        t.untyped_storage().data_ptr() for t in (*network.parameters(), *network.buffers())
    }
    saved: dict[int, Tensor] = {}
    shapes: list[tuple[nn.Conv2d, Tensor, torch.Size]] = []

    def save(tensor: Tensor) -> None:  # returned, the graph would hold itself, weights and all
        if (address := tensor.untyped_storage().data_ptr()) not in permanent:
            saved[address] = tensor

    handles = [
        conv.register_forward_hook(lambda m, i, o: shapes.append((m, i[0].detach(), o.shape)))
        for conv in convs.values()
    ]
    try:
        with torch.autograd.graph.saved_tensors_hooks(save, lambda nothing: nothing):
            # a root for the graph: no parameter asks for a gradient
            logits = _checked(network(image.clone().requires_grad_()), 0, 1)
    finally:
        for handle in handles:
            handle.remove()
    uses = {"exact": logits.shape[1] - 1, "sketch": min(passes, logits.shape[1] - 1)}.get(
        estimator, passes
    )
    sizes = [t.untyped_storage().nbytes() for t in saved.values()]
    # gradients of the widest layers live beside the activations for a moment
    bytes_each = sum(sizes) + 2 * max(sizes, default=0)
    bytes_each += sum(cached_bytes(m, a, h, w, uses) for m, a, (*_, h, w) in shapes)
    budget: float = CPU_BUDGET
    if image.is_cuda:
        budget = GPU_SHARE * torch.cuda.get_device_properties(image.device).total_memory
    return max(1, int(budget // max(bytes_each, 1)))
