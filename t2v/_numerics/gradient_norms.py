"""Squared norms of per-image filter gradients, without keeping the gradients.

For one convolution and one image the gradient with respect to the weights is a matrix ``G = D Uᵀ``:
``D [C_out, T]`` is the gradient at the T output positions, ``U [K, T]`` the patch of K inputs that
each position sees. The Fisher diagonal averaged over a filter needs only the squared norm of each
row of ``G``. There are three kernels for it, whose costs differ by a factor of fifty between the
first and the last layer of a residual network:

``gram``
    ``‖G_o‖² = D_o (Uᵀ U) D_oᵀ``, where ``Uᵀ U`` is summed from shifted blocks of the Gram matrix of
    the *input*: a patch is the input shifted by the kernel's offsets, so the products are computed
    once instead of once per offset. Fastest if there are few positions.
``patches``
    ``U`` is unfolded (im2col), and ``G`` is one batched product. Fastest if there are many
    positions and few channels. Also used for weights that occur more than once in a network, whose
    gradients must be added before they are squared: ``G = [D₁ D₂ …] [U₁ U₂ …]ᵀ``.
``depthwise``
    PyTorch's own convolution backward in one call, with the images as groups.

If several gradients refer to the same input (classes, passes), ``Uᵀ U`` or a small ``U`` is cached.
The choice depends on shapes only, so equal calls give equal bits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

# Largest temporary in bytes; images are processed in batches that need no more.
WORKSPACE = 32 * 2**20  # small enough for the caches of a CPU
GPU_WORKSPACE = 2**30  # small batches leave most of a GPU idle
MAX_CACHED_PATCHES = 2**20  # bytes per image and layer, on the CPU


class RowNorms:
    """Squared row norms for the gradients of one convolution call.

    Args:
        conv: convolution.
        image: its input, [N, C_in, H, W].
        uses: number of gradients that will be given; for several, ``Uᵀ U`` or ``U`` is cached.
        kernel: ``gram``, ``patches`` or ``depthwise``; None: the one with the lowest cost.
    """

    def __init__(self, conv: nn.Conv2d, image: Tensor, uses: int = 1, kernel: str | None = None):
        self.conv, self.uses, self.kernel = conv, uses, kernel
        self._image = image
        self._cached: dict[int, Tensor] = {}

    def __call__(self, gradient: Tensor) -> Tensor:
        """Squared norms [N, C_out] for the gradient [N, C_out, H, W] by the output."""
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
                parts.append(self._from_factor(kernel, start, a, d))
        # a norm cannot be negative, but D (UᵀU) Dᵀ can be by rounding
        return torch.cat(parts).clamp_min_(0)

    def _from_factor(self, kernel: str, start: int, image: Tensor, gradient: Tensor) -> Tensor:
        size, d = gradient.shape[-2:], _grouped(gradient, self.conv.groups)
        factor = self._cached.get(start)  # Uᵀ U or Uᵀ
        if factor is None:
            factor = _FACTORS[kernel](self.conv, image, size)
            if cached_bytes(self.conv, image, size[0], size[1], self.uses, kernel):
                self._cached[start] = factor
        if kernel == "gram":
            return (d @ factor).mul_(d).sum(-1).flatten(1)
        return (d @ factor).square_().sum(-1).flatten(1)


def shared_row_norms(calls: Sequence[tuple[nn.Conv2d, Tensor, Tensor]]) -> Tensor:
    """Squared row norms of the sum of the gradients of several calls that share a weight.

    Args:
        calls: convolution, its input [N, C_in, H, W] and the gradient [N, C_out, H', W'] by its
            output, for each call.

    Returns:
        [N, C_out].
    """
    conv, image, _ = calls[0]
    positions = sum(d[0, 0].numel() for _, _, d in calls)
    per_image = conv.weight[0].numel() * (conv.groups * positions + conv.out_channels)
    step = max(1, _workspace(image) // (per_image * image.element_size()))
    parts = []
    for start in range(0, len(image), step):
        batch = slice(start, start + step)
        d = torch.cat([_grouped(d[batch], c.groups) for c, _, d in calls], -1)
        u = torch.cat([_patches(c, a[batch]) for c, a, _ in calls], 2)
        parts.append((d @ u).square_().sum(-1).flatten(1))
    return torch.cat(parts)


def choose(conv: nn.Conv2d, image: Tensor, height: int, width: int, uses: int = 1) -> str:
    """The kernel with the lowest cost.

    Costs are rough nanoseconds per image, fitted to single-thread timings of the layers of
    ResNet-18, MobileNetV2 and the probe `synthetic`; only their order matters.

    Args:
        conv: convolution.
        image: its input, [N, C_in, H, W].
        height: height of its output.
        width: width of its output.
        uses: number of gradients for the same input.
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


def cached_bytes(
    conv: nn.Conv2d, image: Tensor, height: int, width: int, uses: int, kernel: str | None = None
) -> int:
    """Bytes per image that `RowNorms` caches between gradients; arguments as in `choose`."""
    kernel = kernel or choose(conv, image, height, width, uses)
    if uses == 1 or kernel == "depthwise":
        return 0
    side = height * width if kernel == "gram" else conv.weight[0].numel()
    size = conv.groups * height * width * side * image.element_size()
    # unfolding again is cheap, and large patches would crowd the CPU's caches
    return size if kernel == "gram" or image.is_cuda or size <= MAX_CACHED_PATCHES else 0


def _workspace(image: Tensor) -> int:
    return GPU_WORKSPACE if image.is_cuda else WORKSPACE


def _temporary(kernel: str, conv: nn.Conv2d, image: Tensor, height: int, width: int) -> int:
    """Bytes per image of a kernel's temporaries."""
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
    """Padding left, right, top and bottom, as `functional.pad` expects it."""
    if conv.padding == "valid":
        return 0, 0, 0, 0
    if isinstance(conv.padding, str):  # "same"
        y, x = (d * (k - 1) for d, k in zip(conv.dilation, conv.kernel_size, strict=True))
        return x // 2, x - x // 2, y // 2, y - y // 2
    y, x = conv.padding
    return x, x, y, y


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
    """``Uᵀ`` of a batch, [N, groups, T, K]; channels are last, so that long runs are copied."""
    image = _pad(conv, image).contiguous(memory_format=torch.channels_last)
    n, channels, rows, columns = image.shape
    (kernel_y, kernel_x), (stride_y, stride_x) = conv.kernel_size, conv.stride
    dilation_y, dilation_x = conv.dilation
    height, width = size or (
        (rows - dilation_y * (kernel_y - 1) - 1) // stride_y + 1,
        (columns - dilation_x * (kernel_x - 1) - 1) // stride_x + 1,
    )
    row = columns * channels
    per_group = channels // conv.groups
    patches = image.permute(0, 2, 3, 1).as_strided(
        (n, height, width, kernel_y, kernel_x, conv.groups, per_group),
        (rows * row, stride_y * row, stride_x * channels, dilation_y * row, dilation_x * channels,
         per_group, 1),
    )  # fmt: skip
    patches = patches.permute(0, 5, 1, 2, 3, 4, 6)
    return patches.reshape(n, conv.groups, height * width, -1)


def _depthwise(conv: nn.Conv2d, image: Tensor, gradient: Tensor) -> Tensor:
    n, image = len(image), _pad(conv, image)
    weight = conv.weight.repeat(n, 1, 1, 1)
    image, gradient = (
        image.reshape(1, -1, *image.shape[2:]),
        gradient.reshape(1, -1, *gradient.shape[2:]),
    )
    # transposed = False, output_padding = 0; only the weight's gradient of (input, weight, bias)
    geometry = (conv.stride, (0, 0), conv.dilation, False, (0, 0), n * conv.groups)
    output_mask = (False, True, False)
    backward = torch.ops.aten.convolution_backward
    g = backward(gradient, image, weight, None, *geometry, output_mask)[1]
    return g.square_().sum((1, 2, 3)).view(n, -1)


def _gram(conv: nn.Conv2d, image: Tensor, size: Sequence[int]) -> Tensor:
    """``Uᵀ U``, [N, groups, T, T], from the Gram matrix of the input.

    Kernel offsets act on rows and columns separately, so the shifted blocks are added in two
    sums of kh and kw terms instead of one of kh·kw terms.
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
    over_rows = gram.new_zeros(len(gram), height, columns, height, columns)
    for outputs, pixels in _overlaps(conv, 0, rows, height, top):
        over_rows[:, outputs, :, outputs].add_(gram[:, pixels, :, pixels])
    over_both = gram.new_zeros(len(gram), height, width, height, width)
    for outputs, pixels in _overlaps(conv, 1, columns, width, left):
        over_both[:, :, outputs, :, outputs].add_(over_rows[:, :, pixels, :, pixels])
    return over_both.view(len(image), conv.groups, height * width, height * width)


def _overlaps(
    conv: nn.Conv2d, axis: int, size: int, outputs: int, padding: int
) -> Iterator[tuple[slice, slice]]:
    """For each kernel offset: the outputs that see a pixel there, and these pixels."""
    stride, dilation = conv.stride[axis], conv.dilation[axis]
    for k in range(conv.kernel_size[axis]):
        shift = k * dilation - padding
        first = max(0, -(shift // stride))
        last = min(outputs - 1, (size - 1 - shift) // stride)
        if first <= last:
            pixels = slice(first * stride + shift, last * stride + shift + 1, stride)
            yield slice(first, last + 1), pixels


_FACTORS = {"gram": _gram, "patches": _patches}
