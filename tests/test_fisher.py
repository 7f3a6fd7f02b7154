"""The Fisher information against its definition, its meaning, and its promises to the caller."""

from __future__ import annotations

import copy
import gc
import itertools
import math
import weakref

import pytest
import torch
import torchvision.models as zoo
from torch import nn

from t2v.errors import InputError
from t2v.fisher import filter_fisher
from tests.oracles import brute_force_fisher, kl_divergence, relative_error

FLOAT64 = {"dtype": torch.float64}


class Odd(nn.Module):
    """One of everything torchvision's networks do, and some things they do not."""

    def __init__(self, classes=4):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, (5, 3), (2, 1), (2, 0))
        self.norm1, self.norm2 = nn.BatchNorm2d(8), nn.BatchNorm2d(8)
        self.same = nn.Conv2d(8, 8, 3, 1, padding="same", dilation=2, bias=False)
        self.grouped = nn.Conv2d(8, 12, 3, 2, 1, groups=4)
        self.depthwise = nn.Conv2d(12, 24, (1, 3), groups=12, padding_mode="circular", padding=1)
        self.reflect = nn.Conv2d(24, 6, 1, stride=(2, 1), padding=1, padding_mode="reflect")
        self.shared = nn.Conv2d(6, 6, 3, padding=1)
        self.tied, self.tie = nn.Conv2d(6, 6, 1), nn.Conv2d(6, 6, 1, stride=2, bias=False)
        self.tie.weight = self.tied.weight
        self.unused = nn.Conv2d(6, 2, 1)
        self.relu = nn.ReLU(inplace=True)
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(12, classes)

    def forward(self, x):
        x = self.relu(self.norm1(self.stem(x)))
        y = self.norm2(self.same(x))
        y += x  # residual, in place
        x = self.relu(self.grouped(self.relu(y)))
        x = torch.nn.functional.max_pool2d(self.depthwise(x), 2)
        x = self.relu(self.reflect(x))
        x = self.shared(self.relu(self.shared(x))[..., 1:])  # twice, at two sizes
        x = torch.cat([self.tied(x).mean((2, 3)), self.tie(x.relu()).amax((2, 3))], 1)
        return self.head(self.drop(x) * 5)


def slice_of(features, channels, classes=4):
    head = nn.Linear(channels, classes)
    return nn.Sequential(features, nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)


NETWORKS = {
    "odd": (Odd, (15, 12)),
    "resnet18": (lambda: zoo.resnet18(num_classes=3), (32, 38)),
    "densenet (first blocks)": (lambda: slice_of(zoo.densenet121().features[:7], 512), (32, 32)),
    "mobilenet_v2": (lambda: slice_of(zoo.mobilenet_v2().features[:12], 96), (32, 40)),
    "mobilenet_v3": (lambda: zoo.mobilenet_v3_small(num_classes=3), (36, 32)),
    "squeezenet": (lambda: zoo.squeezenet1_1(num_classes=4), (36, 32)),
    "vgg (with batch norm)": (lambda: slice_of(zoo.vgg11_bn().features[:14], 256), (16, 20)),
    "alexnet": (lambda: slice_of(zoo.alexnet().features, 256), (64, 70)),
    "googlenet": (lambda: zoo.googlenet(num_classes=3, init_weights=False), (32, 32)),
    "shufflenet": (lambda: zoo.shufflenet_v2_x0_5(num_classes=4), (36, 32)),
    "efficientnet": (lambda: slice_of(zoo.efficientnet_b0().features[:5], 80), (32, 36)),
    "convnext": (lambda: slice_of(zoo.convnext_tiny().features[:2], 96), (32, 32)),
    "regnet": (lambda: zoo.regnet_y_400mf(num_classes=3), (32, 32)),
}


def build(name, seed=0):
    """The network with batch statistics that differ from the identity, and images for it."""
    torch.manual_seed(seed)
    make, size = NETWORKS[name]
    network = make().double().eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
            module.weight.data.uniform_(0.5, 1.5)
    return network, torch.randn(2, 3, *size, **FLOAT64)


def small(seed=0, classes=4, sharpness=3.0):
    torch.manual_seed(seed)
    network = nn.Sequential(
        nn.Conv2d(3, 5, 3, 2), nn.BatchNorm2d(5), nn.ReLU(inplace=True), nn.Conv2d(5, 4, 2),
        nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(4 * 9, classes),
    )  # fmt: skip
    network[-1].weight.data.mul_(sharpness)
    return network.double().eval(), torch.randn(6, 3, 9, 9, **FLOAT64)


# ------------------------------------------------------------------------- the definition


@pytest.mark.parametrize("name", NETWORKS)
def test_exact_is_the_definition(name, device, dtype):
    network, images = build(name)
    # on the same device: PyTorch's hardswish on CUDA has 1/6 in float32, also for float64
    expected = brute_force_fisher(network.to(device), images.to(device))
    found = filter_fisher(network.to(dtype), images.to(dtype))
    # of the seven digits of float32, deep networks leave three or four
    assert relative_error(found, expected) < {torch.float64: 1e-6, torch.float32: 1e-3}[dtype]
    assert sum(float(value.sum()) for value in expected.values()) > 0


def test_exact_is_what_kl_divergence_sees():
    """KL(p_w ‖ p_{w+δ}) = ½ δᵀFδ + O(δ³): moving each weight of a filter alone adds up to K·F/2."""
    network, images = small()
    fisher = filter_fisher(network, images)
    step = 2e-5
    for name in ("0", "3"):
        moved = copy.deepcopy(network)
        weight = moved.get_submodule(name).weight.data
        for o in range(len(weight)):
            flat, total = weight[o].view(-1), 0.0
            for k in range(len(flat)):
                for sign in (step, -step):  # both ways, so that the third order cancels
                    flat[k] += sign
                    total += float(kl_divergence(network, moved, images)) / 2
                    flat[k] -= sign
            expected = 0.5 * step**2 * len(flat) * float(fisher[name][o])
            # what is left: KL's fourth order, ReLUs that switch (both fall with the step), rounding
            assert total == pytest.approx(expected, rel=1e-3), (name, o)


def test_float32_agrees_with_float64():
    network, images = build("resnet18")
    expected = filter_fisher(network, images)
    found = filter_fisher(network.float(), images.float())
    for name, value in expected.items():
        # forward and backward rounding of 20 layers, not the accumulation
        assert torch.allclose(found[name], value, rtol=1e-3, atol=1e-4 * float(value.max())), name


def test_a_filter_that_does_not_matter_is_zero():
    network, images = build("odd")
    assert (filter_fisher(network, images)["unused"] == 0).all()


# ---------------------------------------------------------------- sketch and sampled labels


@pytest.mark.parametrize("passes", [1, 2, 3, 5])
def test_sketch_is_exact_over_all_signs(passes, monkeypatch):
    network, images = small(sharpness=8.0)
    expected = brute_force_fisher(network, images)
    mean = {name: torch.zeros_like(value) for name, value in expected.items()}
    patterns = list(itertools.product([-1, 1], repeat=3))  # K - 1 = 3 columns
    spread = 0.0
    for pattern in patterns:
        signs = torch.tensor(pattern, dtype=torch.int8).repeat(len(images), 1)
        monkeypatch.setattr("t2v.fisher._draws", lambda *_, signs=signs: signs)
        one = filter_fisher(network, images, estimator="sketch", passes=passes)
        spread = max(spread, relative_error(one, expected))
        for name in mean:
            mean[name] += one[name] / len(patterns)
    assert relative_error(mean, expected) < 1e-10
    assert (spread < 1e-10) == (passes >= 3)  # one column a pass leaves nothing to chance


def test_sample_is_exact_over_all_labels(monkeypatch):
    network, images = small()
    image = images[:1]
    p = network(image).softmax(1)[0].detach()
    expected = brute_force_fisher(network, image)
    mean = {name: torch.zeros_like(value) for name, value in expected.items()}
    for c in range(len(p)):
        middle = (p[:c].sum() + p[c] / 2).view(1, 1)
        monkeypatch.setattr("t2v.fisher._draws", lambda *_, u=middle: u)
        one = filter_fisher(network, image, estimator="sample")
        for name in mean:
            mean[name] += p[c] * one[name]
    assert relative_error(mean, expected) < 1e-10


@pytest.mark.parametrize("estimator", ["sketch", "sample"])
def test_unbiased(estimator):
    """Independent runs are added until the mean is known to 1%; it must then agree to 5 errors."""
    network, images = small(sharpness=2.0)
    exact = torch.cat(list(filter_fisher(network, images).values()))
    copies, generator = 200, torch.Generator().manual_seed(5)
    runs = []
    for _ in range(60):  # budget: 12,000 passes over the images
        many = images.repeat(copies, 1, 1, 1)
        run = filter_fisher(network, many, estimator=estimator, generator=generator)
        runs.append(torch.cat(list(run.values())) / exact)
        if len(runs) < 10:
            continue
        ratio = torch.stack(runs)
        error = ratio.std(0) / math.sqrt(len(runs))
        if error.max() < 0.01:
            break
    assert error.max() < 0.01
    assert ((ratio.mean(0) - 1).abs() < 5 * error).all()


def noise(network, images, estimator, passes=1, runs=40):
    """Median over filters of the relative standard deviation of one estimate."""
    exact = torch.cat(list(filter_fisher(network, images).values()))
    values = [
        torch.cat(
            list(
                filter_fisher(
                    network, images, estimator=estimator, passes=passes,
                    generator=torch.Generator().manual_seed(seed),
                ).values()
            )
        )
        for seed in range(runs)
    ]  # fmt: skip
    return float((torch.stack(values).std(0) / exact).median())


def trained(classes=6, per_class=20, steps=150):
    """A network that tells noisy patterns apart, as confidently as a head usually does."""
    torch.manual_seed(2)
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3, 2), nn.ReLU(), nn.Conv2d(8, 8, 2), nn.ReLU(), nn.Flatten(),
        nn.Linear(72, classes),
    ).double()  # fmt: skip
    labels = torch.arange(classes).repeat(per_class)
    patterns = torch.randn(classes, 3, 9, 9, **FLOAT64)
    images = 0.7 * patterns[labels] + torch.randn(len(labels), 3, 9, 9, **FLOAT64)
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(images), labels).backward()
        optimizer.step()
    return network.eval(), images


def test_sketch_is_steadier_than_sampled_labels_for_a_trained_head():
    network, images = trained()
    p = network(images).softmax(1).detach()
    assert p.amax(1).median() > 0.95  # peaked, as heads are
    sketch, sample = noise(network, images, "sketch"), noise(network, images, "sample")
    assert sketch < 0.5 * sample
    # several passes share the columns out: better than as many independent sketches
    assert noise(network, images, "sketch", passes=3) < sketch / math.sqrt(3)


# ------------------------------------------------------------------- promises to the caller


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


def state(network):
    return {
        "modes": [module.training for module in network.modules()],
        "flags": [p.requires_grad for p in network.parameters()],
        "grads": [p.grad if p.grad is None else p.grad.clone() for p in network.parameters()],
        "hooks": [
            (list(m._forward_hooks), list(m._forward_pre_hooks), list(m._backward_hooks))
            for m in network.modules()
        ],
        "names": [sorted(vars(module)) for module in network.modules()],
        "values": [v.clone() for v in network.state_dict().values()],
    }


def same(before, after):
    return all(
        torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b
        for key in before
        for a, b in zip(before[key], after[key], strict=True)
    )


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


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["odd", "resnet18", "mobilenet_v3"])
def test_cuda_agrees_with_the_definition(name):
    network, images = build(name)
    expected = brute_force_fisher(network.cuda(), images.cuda())
    assert relative_error(filter_fisher(network, images), expected) < 1e-6


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["odd", "resnet18"])  # without hardswish, see above
def test_a_sketch_draws_the_same_signs_on_both_devices(name):
    network, images = build(name)
    sketches = []
    for device in ("cuda", "cpu"):
        draw = torch.Generator().manual_seed(0)
        network = network.to(device)
        sketches.append(filter_fisher(network, images, estimator="sketch", generator=draw))
    assert relative_error(*sketches) < 1e-6


@pytest.mark.parametrize("batch_size", [None, 2])
def test_nothing_of_the_network_stays_behind(batch_size):
    network = conv_then(nn.BatchNorm2d(4).eval(), nn.ReLU())
    filter_fisher(network, IMAGES, batch_size=batch_size)
    weight = weakref.ref(network[0].weight)
    del network
    gc.collect()
    assert weight() is None


def test_a_head_beyond_doubt_gives_zeros_not_nans():
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 6)
    )
    images = torch.randn(3, 3, 8, 8)
    for factor in (1e1, 1e2, 1e3, 1e3):  # up to 1e9 in all: probabilities down to denormal, then 0
        network[-1].weight.data *= factor
        for estimator in ("exact", "sketch"):
            assert filter_fisher(network, images, estimator=estimator)["0"].isfinite().all()
