"""What `filter_fisher` promises: batches, seeds, layers, a network left alone, clear errors."""

from __future__ import annotations

import gc
import math
import weakref

import pytest
import torch
from torch import nn

from t2v.errors import InputError
from t2v.fisher import filter_fisher
from tests.networks import build, same, small, state
from tests.oracles import relative_error


@pytest.mark.parametrize("estimator", ["exact", "sketch", "sample"])
def test_batch_size_does_not_matter(estimator):
    network, images = build("odd")
    images = torch.cat([images, images.flip(3), images.flip(2)])
    results = [
        filter_fisher(
            network, images, estimator=estimator, passes=2, batch_size=size,
            generator=torch.Generator().manual_seed(3),
        )
        for size in (None, 1, 4, 6)
    ]  # fmt: skip
    for other in results[1:]:
        assert relative_error(other, results[0]) < 1e-9


def test_memory_budget_sets_the_batch(monkeypatch):
    network, images = small()
    expected = filter_fisher(network, images)
    sizes = []
    network.register_forward_hook(lambda m, i, o: sizes.append(len(o)))
    monkeypatch.setattr("t2v.fisher.CPU_BUDGET", 1)
    assert relative_error(filter_fisher(network, images), expected) < 1e-9
    assert set(sizes) == {1}


def test_seed_decides():
    network, images = small()

    def run(seed, estimator):
        generator = torch.Generator().manual_seed(seed)
        return filter_fisher(network, images, estimator=estimator, generator=generator)

    for estimator in ("sketch", "sample"):
        first, again, other = run(1, estimator), run(1, estimator), run(2, estimator)
        assert all(torch.equal(first[name], again[name]) for name in first)
        assert any(not torch.equal(first[name], other[name]) for name in first)
    torch.manual_seed(7)
    first = filter_fisher(network, images, estimator="sketch")
    torch.manual_seed(7)
    again = filter_fisher(network, images, estimator="sketch")
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_layers_are_a_selection():
    network, images = build("odd")
    everything = filter_fisher(network, images)
    assert list(everything) == [n for n, m in network.named_modules() if isinstance(m, nn.Conv2d)]
    some = filter_fisher(network, images, layers=["tie", "same", "shared"])
    assert list(some) == ["same", "shared", "tie"]
    assert relative_error(some, {name: everything[name] for name in some}) < 1e-9


def in_use(network, images):
    """In training, partly frozen, with gradients and a hook of its owner's."""
    network.train()
    network.norm2.eval()
    network.same.weight.requires_grad_(False)
    network.shared.register_forward_hook(lambda m, i, o: None)
    network(images).sum().backward()
    return network


def test_network_is_left_as_it_was():
    network, images = build("odd")
    expected = filter_fisher(network, images)
    before = state(in_use(network, images))
    network.norm1.load_state_dict(build("odd")[0].norm1.state_dict())  # train mode moved it
    before["values"] = [v.clone() for v in network.state_dict().values()]
    images.requires_grad_()
    with torch.no_grad():
        found = filter_fisher(network, images)
    assert same(before, state(network))
    assert images.grad is None and images.requires_grad
    assert relative_error(found, expected) < 1e-9  # eval mode was used


@pytest.mark.parametrize("when", ["forward", "backward"])
def test_network_is_left_as_it_was_after_an_error(when):
    network, images = build("odd")
    before = state(in_use(network, images))

    def fail(*_):
        raise RuntimeError("from inside")

    if when == "forward":
        handle = network.head.register_forward_hook(fail)
    else:
        handle = network.head.register_forward_hook(lambda m, i, o: o.register_hook(fail) and None)
    with pytest.raises(RuntimeError, match="from inside"):
        filter_fisher(network, images)
    handle.remove()
    assert same(before, state(network))


class ChangesItsInput(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 3)

    def forward(self, x):
        x = x * 1
        out = self.conv(x)
        x.zero_()
        return out.mean((2, 3))


class WithoutGradient(ChangesItsInput):
    def forward(self, x):
        with torch.no_grad():
            return self.conv(x).mean((2, 3))


def conv_then(*modules, out=4):
    return nn.Sequential(nn.Conv2d(3, out, 3), *modules, nn.AdaptiveAvgPool2d(1), nn.Flatten())


IMAGES = torch.zeros(2, 3, 8, 8)


@pytest.mark.parametrize(
    ("network", "images", "options", "message"),
    [
        (nn.Sequential(nn.Flatten(), nn.Linear(192, 2)), IMAGES, {}, "no Conv2d"),
        (conv_then(), IMAGES * math.nan, {}, "image 0 are not finite"),
        (conv_then(), IMAGES, {"estimator": "empirical"}, "'empirical'.*exact, sketch, sample"),
        (conv_then(), IMAGES, {"layers": ["0", "conv1"]}, r"\['conv1'\].*are 0"),
        (conv_then(), IMAGES, {"layers": []}, "an empty list"),
        (conv_then(), IMAGES[:0], {}, r"images: got shape \(0, 3, 8, 8\)"),
        (conv_then(), IMAGES[0], {}, r"images: got shape \(3, 8, 8\)"),
        (conv_then(), IMAGES.to(torch.uint8), {}, "torch.uint8, expected floats"),
        (conv_then(), IMAGES, {"passes": 0}, "passes: got 0"),
        (conv_then(), IMAGES, {"batch_size": 0}, "batch_size: got 0"),
        (conv_then(out=1), IMAGES, {}, r"returned \(2, 1\).*K >= 2"),
        (nn.Conv2d(3, 2, 3), IMAGES, {}, r"returned \(2, 2, 6, 6\)"),
        (conv_then().half(), IMAGES, {}, "torch.float16"),
        (
            conv_then(nn.BatchNorm2d(4, track_running_stats=False)),
            IMAGES,
            {},
            "layer 1: batch norm",
        ),
        (ChangesItsInput(), IMAGES, {}, "layer conv: its input was changed in place"),
        (WithoutGradient(), IMAGES, {}, "layer conv: called under no_grad"),
    ],
)
def test_bad_input_is_one_clear_line(network, images, options, message):
    with pytest.raises(InputError, match=message) as caught:
        filter_fisher(network, images, **{"batch_size": 2, **options})
    assert "\n" not in str(caught.value)


def test_the_bad_image_is_named():
    images = torch.zeros(5, 3, 8, 8)
    images[3, 0, 4, 4] = math.inf
    with pytest.raises(InputError, match="image 3 "):
        filter_fisher(conv_then(), images, batch_size=2)


@pytest.mark.parametrize("batch_size", [None, 2])
def test_nothing_of_the_network_stays_behind(batch_size):
    network = conv_then(nn.BatchNorm2d(4).eval(), nn.ReLU())
    filter_fisher(network, IMAGES, batch_size=batch_size)
    weight = weakref.ref(network[0].weight)
    del network
    gc.collect()
    assert weight() is None
