"""Every kernel against autograd's weight gradient of one image at a time."""

from __future__ import annotations

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

from t2v._numerics.gradient_norms import RowNorms, cached_bytes, choose, shared_row_norms


def expected_norms(conv, image, gradient):
    """[N, C_out] by definition: one backward pass per image, squared and added up."""
    rows = []
    for a, d in zip(image, gradient, strict=True):
        (g,) = torch.autograd.grad(conv(a[None]), conv.weight, d[None])
        rows.append(g.square().flatten(1).sum(1))
    return torch.stack(rows)


@st.composite
def calls(draw):
    """A convolution of any geometry and the size of an image it accepts."""
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    depth = draw(st.sampled_from([1, 2, 3]))
    kernel = draw(st.tuples(st.integers(1, 4), st.integers(1, 3)))
    dilation = draw(st.tuples(st.integers(1, 2), st.integers(1, 2)))
    stride = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    mode = draw(st.sampled_from(["zeros", "zeros", "reflect", "replicate", "circular"]))
    padding = draw(st.sampled_from([0, "valid", "same", (1, 2), (2, 0), 1]))
    if padding == "same":
        stride = (1, 1)
    size = draw(st.tuples(st.integers(3, 9), st.integers(3, 9)))
    torch.manual_seed(draw(st.integers(0, 2**16)))
    try:
        conv = nn.Conv2d(
            groups * depth, groups * draw(st.integers(1, 2)), kernel, stride, padding, dilation,
            groups, bias=draw(st.booleans()), padding_mode=mode, dtype=torch.float64,
        )  # fmt: skip
        image = torch.randn(2, groups * depth, *size, dtype=torch.float64)
        gradient = torch.randn_like(conv(image))
    except RuntimeError:  # a kernel larger than the image, or a reflection wider than it
        assume(False)
    return conv, image, gradient


@settings(max_examples=80, deadline=None, derandomize=True)
@given(call=calls())
def test_kernels_agree_with_autograd(call):
    conv, image, gradient = call
    expected = expected_norms(conv, image, gradient)
    kernels = ["gram", "patches", choose(conv, image, *gradient.shape[2:])]
    if conv.groups == conv.in_channels:
        kernels.append("depthwise")
    for kernel in kernels:
        found = RowNorms(conv, image, kernel=kernel)(gradient)
        # sums of a few hundred products in float64; the Gram form cancels, hence the scale
        assert torch.allclose(found, expected, rtol=1e-10, atol=1e-12 * float(expected.max())), (
            kernel
        )


@settings(max_examples=30, deadline=None, derandomize=True)
@given(call=calls())
def test_shared_weights_add_before_squaring(call):
    conv, image, gradient = call
    other, moved = torch.randn_like(image).flip(2), torch.randn_like(gradient)
    rows = []
    for i in range(len(image)):
        out = torch.cat([conv(image[i : i + 1]), conv(other[i : i + 1])])
        d = torch.stack([gradient[i], moved[i]])
        rows.append(torch.autograd.grad(out, conv.weight, d)[0].square().flatten(1).sum(1))
    found = shared_row_norms([(conv, image, gradient), (conv, other, moved)])
    assert torch.allclose(found, torch.stack(rows), rtol=1e-10)


@pytest.mark.parametrize("kernel", [None, "gram", "patches"])
@pytest.mark.parametrize("uses", [1, 5])
def test_several_gradients_of_one_input(uses, kernel):
    torch.manual_seed(0)
    conv = nn.Conv2d(8, 6, 3, padding=1, dtype=torch.float64)
    image = torch.randn(3, 8, 5, 5, dtype=torch.float64)
    norms = RowNorms(conv, image, uses, kernel)
    for _ in range(uses):
        gradient = torch.randn(3, 6, 5, 5, dtype=torch.float64)
        assert torch.allclose(norms(gradient), expected_norms(conv, image, gradient), rtol=1e-10)
    cached = sum(tensor.nbytes for tensor in norms._cached.values())
    assert cached == len(image) * cached_bytes(conv, image, 5, 5, uses, kernel)


def test_small_workspace_gives_the_same(monkeypatch):
    torch.manual_seed(1)
    conv, image = nn.Conv2d(4, 6, 3, padding=1), torch.randn(5, 4, 6, 6)
    gradient = torch.randn(5, 6, 6, 6)
    for kernel in ("gram", "patches"):
        whole = RowNorms(conv, image, kernel=kernel)(gradient)
        with monkeypatch.context() as patch:
            patch.setattr("t2v._numerics.gradient_norms.WORKSPACE", 1)
            norms = RowNorms(conv, image, uses=2, kernel=kernel)
            norms(gradient.flip(0))
            pieces = norms(gradient)
        # float32: another blocking of the same sums
        assert torch.allclose(whole, pieces, rtol=1e-5)


def test_choice_follows_the_shapes():
    early, late = nn.Conv2d(64, 64, 3, padding=1), nn.Conv2d(512, 512, 3, padding=1)
    assert choose(early, torch.empty(1, 64, 56, 56), 56, 56) == "patches"
    assert choose(late, torch.empty(1, 512, 7, 7), 7, 7) == "gram"
    depthwise = nn.Conv2d(32, 32, 3, groups=32)
    assert choose(depthwise, torch.empty(1, 32, 9, 9), 7, 7) == "depthwise"
