"""Squared norms of per-image filter gradients, without keeping the gradients.

For one convolution and one image the gradient with respect to the weights is a matrix ``G = D Uᵀ``:
``D [C_out, T]`` is the gradient at the T output positions, ``U [K, T]`` the patch of K inputs that
each position sees. The Fisher diagonal averaged over a filter needs only the squared norm of each
row of ``G``. There are several ways to it, whose costs differ by a factor of fifty between the
first and the last layer of a residual network:

``gram``
    ``‖G_o‖² = D_o (Uᵀ U) D_oᵀ``, where ``Uᵀ U`` is added up from shifted blocks of the Gram matrix
    of the *input*: a patch is the input moved by the kernel's offsets, so the products are done
    once instead of once per offset. Wins where there are few positions. When several gradients
    meet the same input (classes, passes), ``Uᵀ U`` is kept.
``taps``
    ``G`` for one kernel offset at a time, in one batched product.
``wgrad``
    the library's own convolution backward, one image per call. Wins where there are many positions.
``depthwise``
    the same in one call, the images folded into the groups.
``patches``
    ``U`` itself; for weights that are used more than once in a network, whose gradients must be
    added before they are squared: ``G = [D₁ D₂ …] [U₁ U₂ …]ᵀ``.

The choice depends on shapes and device only, so the same call always gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

# Largest temporary in bytes; more images are worked off in pieces (which also keeps them in cache).
WORKSPACE = 32 * 2**20


class RowNorms:
    """Squared row norms for the gradients of one convolution call.

    Args:
        conv: The convolution.
        image: What it was called with, [N, C_in, H, W].
        uses: How many gradients will be asked for; several make it worth keeping the Gram matrix.
        kernel: ``gram``, ``taps``, ``wgrad`` or ``depthwise``; None chooses by cost.
    """

    def __init__(self, conv: nn.Conv2d, image: Tensor, uses: int = 1, kernel: str | None = None):
        self.conv, self.uses, self.kernel = conv, uses, kernel
        self._image: Tensor | None = image
        self._grams: dict[int, Tensor] = {}

    def __call__(self, gradient: Tensor) -> Tensor:
        """[N, C_out]: squared norms, for gradients [N, C_out, H, W] with respect to the output."""
        conv, image = self.conv, self._image
        height, width = gradient.shape[-2:]
        kernel = self.kernel or choose(conv, image, height, width, self.uses)
        step = max(1, WORKSPACE // _temporary(kernel, conv, image, height, width))
        parts = []
        for start in range(0, len(image), step):
            a, d = image[start : start + step], gradient[start : start + step]
            if kernel == "gram":
                gram = self._grams.get(start)
                if gram is None:
                    gram = _gram(conv, a, height, width)
                    if self.uses > 1:
                        self._grams[start] = gram
                d = _grouped(d, conv.groups)
                parts.append((d @ gram).mul_(d).sum(-1).flatten(1))
            else:
                parts.append(_KERNELS[kernel](conv, a, d))
        # a norm cannot be negative, but D (UᵀU) Dᵀ can round to less than nothing
        return torch.cat(parts).clamp_min_(0)


def shared_row_norms(calls: Sequence[tuple[nn.Conv2d, Tensor, Tensor]]) -> Tensor:
    """[N, C_out] for weights used by several calls ``(conv, input, output gradient)``."""
    conv, image, _ = calls[0]
    positions = sum(d[0, 0].numel() for _, _, d in calls)
    per_image = conv.weight[0].numel() * (conv.groups * positions + conv.out_channels)
    step = max(1, WORKSPACE // (per_image * image.element_size()))
    parts = []
    for start in range(0, len(image), step):
        piece = slice(start, start + step)
        d = torch.cat([_grouped(d[piece], c.groups) for c, _, d in calls], -1)
        u = torch.cat([_patches(c, a[piece]) for c, a, _ in calls], -1)
        parts.append((d @ u.transpose(2, 3)).square_().sum(-1).flatten(1))
    return torch.cat(parts)


def choose(conv: nn.Conv2d, image: Tensor, height: int, width: int, uses: int = 1) -> str:
    """The cheapest kernel for a convolution whose output is [.., height, width].

    Rough nanoseconds per image, fitted to single-thread timings of the layers of ResNet-18 and
    MobileNetV2; only their order matters. On a GPU one call per image would starve the device and
    is left out.
    """
    groups, filters = conv.groups, conv.out_channels
    if groups == conv.in_channels and groups > 1:
        return "depthwise"
    depth = conv.in_channels // groups
    positions, pixels = height * width, image.shape[-2] * image.shape[-1]
    offsets = conv.kernel_size[0] * conv.kernel_size[1]
    if offsets == 1:
        pixels = positions
    weights = conv.weight.numel()
    products = 2 * weights * positions
    build = groups * (2 * pixels**2 * depth / 80 + 0.5 * sum(conv.kernel_size) * positions**2)
    costs = {
        "gram": build / uses + 2 * positions**2 * filters / 80 + 2000,
        # thin matrices (the three colours of an image) do not fill the registers
        "taps": products / 90 * (1 + 16 / depth) + 0.7 * weights + 500 * offsets
        + 0.5 * offsets * conv.in_channels * positions,
    }  # fmt: skip
    if not image.is_cuda:
        costs["wgrad"] = products / 70 + 0.75 * weights + 60_000
    return min(costs, key=costs.__getitem__)


def kept_bytes(conv: nn.Conv2d, image: Tensor, height: int, width: int, uses: int) -> int:
    """Bytes per image that `RowNorms` keeps from one gradient to the next."""
    if uses == 1 or choose(conv, image, height, width, uses) != "gram":
        return 0
    return conv.groups * (height * width) ** 2 * image.element_size()


def _temporary(kernel: str, conv: nn.Conv2d, image: Tensor, height: int, width: int) -> int:
    """Bytes per image of a kernel's largest temporary (of all images for the one-call kernels)."""
    positions, pixels = height * width, image.shape[-2] * image.shape[-1]
    if kernel == "gram":
        side = positions if conv.kernel_size == (1, 1) else max(positions, pixels)
        elements = conv.groups * side**2
    elif kernel == "taps":
        elements = conv.weight[:, :, 0, 0].numel() + conv.in_channels * (positions + pixels)
    else:
        elements = image[0].numel()
    return elements * image.element_size()


def _padding(conv: nn.Conv2d) -> tuple[int, int, int, int]:
    """Left, right, top, bottom, as `functional.pad` wants them."""
    if conv.padding == "valid":
        return 0, 0, 0, 0
    if conv.padding == "same":
        tall, wide = (d * (k - 1) for d, k in zip(conv.dilation, conv.kernel_size, strict=True))
        return wide // 2, wide - wide // 2, tall // 2, tall - tall // 2
    tall, wide = conv.padding
    return wide, wide, tall, tall


def _pad(conv: nn.Conv2d, image: Tensor) -> Tensor:
    padding = _padding(conv)
    if not any(padding):
        return image
    mode = "constant" if conv.padding_mode == "zeros" else conv.padding_mode
    return functional.pad(image, padding, mode=mode)


def _grouped(tensor: Tensor, groups: int) -> Tensor:
    """[N, C, H, W] as [N, groups, C / groups, H·W]."""
    n, channels = tensor.shape[:2]
    return tensor.reshape(n, groups, channels // groups, -1)


def _patches(conv: nn.Conv2d, image: Tensor) -> Tensor:
    """The patches U of a batch: [N, groups, K, T]."""
    u = functional.unfold(_pad(conv, image), conv.kernel_size, conv.dilation, 0, conv.stride)
    return u.reshape(len(image), conv.groups, -1, u.shape[-1])


def _taps(conv: nn.Conv2d, image: Tensor, gradient: Tensor) -> Tensor:
    d, image = _grouped(gradient, conv.groups), _pad(conv, image)
    height, width = gradient.shape[-2:]
    total = gradient.new_zeros(d.shape[:3])
    for y in range(conv.kernel_size[0]):
        rows = _moved(y, conv.dilation[0], conv.stride[0], height)
        for x in range(conv.kernel_size[1]):
            columns = _moved(x, conv.dilation[1], conv.stride[1], width)
            seen = _grouped(image[..., rows, columns], conv.groups)
            total += (d @ seen.transpose(2, 3)).square_().sum(-1)
    return total.flatten(1)


def _moved(offset: int, dilation: int, stride: int, size: int) -> slice:
    start = offset * dilation
    return slice(start, start + stride * (size - 1) + 1, stride)


def _wgrad(conv: nn.Conv2d, image: Tensor, gradient: Tensor) -> Tensor:
    image = _pad(conv, image)
    out = gradient.new_empty(gradient.shape[:2])
    for i in range(len(image)):
        g = _weight_gradient(conv, image[i : i + 1], gradient[i : i + 1], conv.weight, conv.groups)
        out[i] = g.square_().flatten(1).sum(1)
    return out


def _depthwise(conv: nn.Conv2d, image: Tensor, gradient: Tensor) -> Tensor:
    n, image = len(image), _pad(conv, image)
    weight = conv.weight.repeat(n, 1, 1, 1)
    image, gradient = (
        image.reshape(1, -1, *image.shape[2:]),
        gradient.reshape(1, -1, *gradient.shape[2:]),
    )
    g = _weight_gradient(conv, image, gradient, weight, n * conv.groups)
    return g.square_().sum((1, 2, 3)).view(n, -1)


def _weight_gradient(
    conv: nn.Conv2d, image: Tensor, gradient: Tensor, weight: Tensor, groups: int
) -> Tensor:
    # transposed = False, output_padding = 0; only the weight's gradient of (input, weight, bias)
    settings = (conv.stride, (0, 0), conv.dilation, False, (0, 0), groups, (False, True, False))
    return torch.ops.aten.convolution_backward(gradient, image, weight, None, *settings)[1]


def _gram(conv: nn.Conv2d, image: Tensor, height: int, width: int) -> Tensor:
    """``Uᵀ U``, [N, groups, T, T], from the Gram matrix of the input.

    Kernel offsets act on rows and columns separately, so the shifted blocks are added in two
    sweeps of kh and kw terms instead of one of kh·kw.
    """
    left, _, top, _ = _padding(conv)
    if conv.padding_mode != "zeros":
        image, left, top = _pad(conv, image), 0, 0
    if conv.kernel_size == (1, 1) and not (left or top):
        image = image[..., :: conv.stride[0], :: conv.stride[1]]
        flat = _grouped(image, conv.groups)
        return flat.transpose(2, 3) @ flat
    rows, columns = image.shape[-2:]
    flat = _grouped(image, conv.groups).flatten(0, 1)
    gram = (flat.transpose(1, 2) @ flat).view(-1, rows, columns, rows, columns)
    tall = gram.new_zeros(len(gram), height, columns, height, columns)
    for into, out_of in _overlaps(conv, 0, rows, height, top):
        tall[:, into, :, into].add_(gram[:, out_of, :, out_of])
    both = gram.new_zeros(len(gram), height, width, height, width)
    for into, out_of in _overlaps(conv, 1, columns, width, left):
        both[:, :, into, :, into].add_(tall[:, :, out_of, :, out_of])
    return both.view(len(image), conv.groups, height * width, height * width)


def _overlaps(
    conv: nn.Conv2d, axis: int, size: int, outputs: int, padding: int
) -> Iterator[tuple[slice, slice]]:
    """For each kernel offset: the outputs that see a pixel, and the pixels they see."""
    stride, dilation = conv.stride[axis], conv.dilation[axis]
    for k in range(conv.kernel_size[axis]):
        shift = k * dilation - padding
        first = max(0, -(shift // stride))
        last = min(outputs - 1, (size - 1 - shift) // stride)
        if first <= last:
            pixels = slice(first * stride + shift, last * stride + shift + 1, stride)
            yield slice(first, last + 1), pixels


_KERNELS = {"taps": _taps, "wgrad": _wgrad, "depthwise": _depthwise}
