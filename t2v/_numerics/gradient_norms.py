"""Squared norms of per-image filter gradients, without keeping the gradients.

For one convolution and one image the gradient with respect to the weights is a matrix ``G = D Uᵀ``:
``D [C_out, T]`` is the gradient at the T output positions, ``U [K, T]`` the patch of K inputs that
each position sees. The Fisher diagonal averaged over a filter needs only the squared norm of each
row of ``G``. There are three ways to it, whose costs differ by a factor of fifty between the
first and the last layer of a residual network:

``gram``
    ``‖G_o‖² = D_o (Uᵀ U) D_oᵀ``, where ``Uᵀ U`` is added up from shifted blocks of the Gram matrix
    of the *input*: a patch is the input moved by the kernel's offsets, so the products are done
    once instead of once per offset. Wins where there are few positions.
``patches``
    ``U`` is laid out, and ``G`` is one batched product. Wins where positions are many and channels
    few. The only way for weights that are used more than once in a network, whose gradients must
    be added before they are squared: ``G = [D₁ D₂ …] [U₁ U₂ …]ᵀ``.
``depthwise``
    the library's own convolution backward, in one call, the images folded into the groups.

When several gradients meet the same input (classes, passes), ``Uᵀ U`` or a small ``U`` is kept.
The choice depends on shapes only, so the same call always gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

# Largest temporary in bytes; more images are worked off in pieces (which also keeps them in cache).
WORKSPACE = 32 * 2**20
GPU_WORKSPACE = 2**30  # there small pieces leave most of the machine idle
# Patches of one image and layer are kept up to so many bytes on the CPU.
PATCHES_KEPT = 2**20


class RowNorms:
    """Squared row norms for the gradients of one convolution call.

    Args:
        conv: The convolution.
        image: What it was called with, [N, C_in, H, W].
        uses: How many gradients will be asked for; for several, what is made of the image is kept.
        kernel: ``gram``, ``patches`` or ``depthwise``; None chooses by cost.
    """

    def __init__(self, conv: nn.Conv2d, image: Tensor, uses: int = 1, kernel: str | None = None):
        self.conv, self.uses, self.kernel = conv, uses, kernel
        self._image = image
        self._kept: dict[int, Tensor] = {}

    def __call__(self, gradient: Tensor) -> Tensor:
        """[N, C_out]: squared norms, for gradients [N, C_out, H, W] with respect to the output."""
        conv, image = self.conv, self._image
        height, width = gradient.shape[-2:]
        kernel = self.kernel or choose(conv, image, height, width, self.uses)
        step = max(1, _workspace(image) // _temporary(kernel, conv, image, height, width))
        parts = []
        for start in range(0, len(image), step):
            a, d = image[start : start + step], gradient[start : start + step]
            if kernel == "depthwise":
                parts.append(_depthwise(conv, a, d))
            else:
                parts.append(self._from_kept(kernel, start, a, d))
        # a norm cannot be negative, but D (UᵀU) Dᵀ can round to less than nothing
        return torch.cat(parts).clamp_min_(0)

    def _from_kept(self, kernel: str, start: int, image: Tensor, gradient: Tensor) -> Tensor:
        size, d = gradient.shape[-2:], _grouped(gradient, self.conv.groups)
        made = self._kept.get(start)
        if made is None:
            made = _MAKERS[kernel](self.conv, image, size)
            if kept_bytes(self.conv, image, *size, self.uses, kernel):
                self._kept[start] = made
        if kernel == "gram":
            return (d @ made).mul_(d).sum(-1).flatten(1)
        return (d @ made).square_().sum(-1).flatten(1)


def shared_row_norms(calls: Sequence[tuple[nn.Conv2d, Tensor, Tensor]]) -> Tensor:
    """[N, C_out] for weights used by several calls ``(conv, input, output gradient)``."""
    conv, image, _ = calls[0]
    positions = sum(d[0, 0].numel() for _, _, d in calls)
    per_image = conv.weight[0].numel() * (conv.groups * positions + conv.out_channels)
    step = max(1, _workspace(image) // (per_image * image.element_size()))
    parts = []
    for start in range(0, len(image), step):
        piece = slice(start, start + step)
        d = torch.cat([_grouped(d[piece], c.groups) for c, _, d in calls], -1)
        u = torch.cat([_patches(c, a[piece]) for c, a, _ in calls], 2)
        parts.append((d @ u).square_().sum(-1).flatten(1))
    return torch.cat(parts)


def choose(conv: nn.Conv2d, image: Tensor, height: int, width: int, uses: int = 1) -> str:
    """The cheapest kernel for a convolution whose output is [.., height, width].

    Rough nanoseconds per image, fitted to single-thread timings of the layers of ResNet-18, of
    MobileNetV2 and of the embedded probe; only their order matters.
    """
    groups, filters = conv.groups, conv.out_channels
    if groups == conv.in_channels and groups > 1:
        return "depthwise"
    depth = conv.in_channels // groups
    positions, pixels = height * width, image.shape[-2] * image.shape[-1]
    if conv.kernel_size == (1, 1):
        pixels = positions
    weights = conv.weight.numel()
    gram = groups * (2 * pixels**2 * depth / 80 + 0.5 * sum(conv.kernel_size) * positions**2)
    patches = 0.7 * groups * conv.weight[0].numel() * positions
    costs = {
        "gram": gram / uses + 2 * positions**2 * filters / 80 + 2000,
        "patches": patches / uses + 2 * weights * positions / 50 + 0.9 * weights,
    }
    return min(costs, key=costs.__getitem__)


def kept_bytes(
    conv: nn.Conv2d, image: Tensor, height: int, width: int, uses: int, kernel: str | None = None
) -> int:
    """Bytes per image that `RowNorms` keeps from one gradient to the next."""
    kernel = kernel or choose(conv, image, height, width, uses)
    if uses == 1 or kernel == "depthwise":
        return 0
    side = height * width if kernel == "gram" else conv.weight[0].numel()
    size = conv.groups * height * width * side * image.element_size()
    # patches are soon laid out anew; kept, those of a large image would leave no room for others
    return size if kernel == "gram" or image.is_cuda or size <= PATCHES_KEPT else 0


def _workspace(image: Tensor) -> int:
    return GPU_WORKSPACE if image.is_cuda else WORKSPACE


def _temporary(kernel: str, conv: nn.Conv2d, image: Tensor, height: int, width: int) -> int:
    """Bytes per image that a kernel needs besides what it is given."""
    positions, pixels = height * width, image.shape[-2] * image.shape[-1]
    if kernel == "gram":
        side = positions if conv.kernel_size == (1, 1) else max(positions, pixels)
        elements = conv.groups * side**2
    elif kernel == "patches":
        elements = conv.weight[0].numel() * (conv.groups * positions + conv.out_channels)
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


def _patches(conv: nn.Conv2d, image: Tensor, size: Sequence[int] | None = None) -> Tensor:
    """``Uᵀ`` of a batch, [N, groups, T, K], copied in runs of channels."""
    image = _pad(conv, image).contiguous(memory_format=torch.channels_last)
    n, channels, rows, columns = image.shape
    (tall, wide), (down, right) = conv.kernel_size, conv.stride
    below, beside = conv.dilation
    height, width = size or (
        (rows - below * (tall - 1) - 1) // down + 1,
        (columns - beside * (wide - 1) - 1) // right + 1,
    )
    each, row = rows * columns * channels, columns * channels
    seen = image.permute(0, 2, 3, 1).as_strided(
        (n, height, width, tall, wide, conv.groups, channels // conv.groups),
        (each, down * row, right * channels, below * row, beside * channels,
         channels // conv.groups, 1),
    )  # fmt: skip
    seen = seen.permute(0, 5, 1, 2, 3, 4, 6)
    return seen.reshape(n, conv.groups, height * width, -1)


def _depthwise(conv: nn.Conv2d, image: Tensor, gradient: Tensor) -> Tensor:
    n, image = len(image), _pad(conv, image)
    weight = conv.weight.repeat(n, 1, 1, 1)
    image, gradient = (
        image.reshape(1, -1, *image.shape[2:]),
        gradient.reshape(1, -1, *gradient.shape[2:]),
    )
    # transposed = False, output_padding = 0; only the weight's gradient of (input, weight, bias)
    settings = (conv.stride, (0, 0), conv.dilation, False, (0, 0), n * conv.groups)
    wanted = (False, True, False)
    backward = torch.ops.aten.convolution_backward
    g = backward(gradient, image, weight, None, *settings, wanted)[1]
    return g.square_().sum((1, 2, 3)).view(n, -1)


def _gram(conv: nn.Conv2d, image: Tensor, size: Sequence[int]) -> Tensor:
    """``Uᵀ U``, [N, groups, T, T], from the Gram matrix of the input.

    Kernel offsets act on rows and columns separately, so the shifted blocks are added in two
    sweeps of kh and kw terms instead of one of kh·kw.
    """
    height, width = size
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


_MAKERS = {"gram": _gram, "patches": _patches}
