"""The probe `imagenet`: the packaged weights against torchvision's network and the float32 ones."""

import json
import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torchvision import models

from t2v import Task, load_probe
from t2v._run.files import sha256_of
from t2v.experts.training import Schedule, Training
from t2v.fisher import filter_fisher
from t2v.head import Head
from t2v.pretrained.architectures import IMAGENET_WEIGHTS, torchvision_name
from tests.oracles import brute_force_fisher, relative_error

DESCRIPTION = json.loads(IMAGENET_WEIGHTS.with_suffix(".json").read_text("utf-8"))
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def probe():
    return load_probe("imagenet", device="cpu")


def drawn(size=64):
    """Four images of soft-edged discs on gradients, uint8 `[4, 3, S, S]`; nothing at random."""
    y, x = torch.meshgrid(*[torch.linspace(-1, 1, size, dtype=torch.float64)] * 2, indexing="ij")
    images = []
    for i in range(4):
        disc = torch.sigmoid(20 * (0.3 + 0.1 * i - ((x - 0.2 * i + 0.3) ** 2 + y**2).sqrt()))
        colours = [0.5 + 0.3 * torch.cos(3 * x + c + i * y) * (1 - disc) for c in range(3)]
        image = torch.stack([v - 0.1 * c * disc for c, v in enumerate(colours)])
        images.append((image.clamp(0, 1) * 255).round().to(torch.uint8))
    return torch.stack(images)


def test_the_features_are_those_of_torchvision_with_the_packaged_state(probe):
    """The oracle: torchvision's `squeezenet1_1`; its mean over positions is the head's input."""
    assert torchvision_name("imagenet") == "squeezenet1_1", "the oracle below is of SqueezeNet"
    network = models.squeezenet1_1(weights=None).features.eval()
    state = {
        k: v.float() if v.is_floating_point() else v for k, v in load_file(IMAGENET_WEIGHTS).items()
    }
    network.load_state_dict({k.removeprefix("features."): v for k, v in state.items()})
    mean, std = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])[..., None, None]
    with torch.no_grad():
        expected = network((drawn().float() / 255 - mean) / std).mean((2, 3))
    # another memory layout, so sums in another order: float32 rounding over 25 layers
    torch.testing.assert_close(probe.features(drawn()), expected, rtol=1e-3, atol=1e-3)
    assert all(v.dtype != torch.float16 for v in probe.network.state_dict().values())


def test_the_features_are_those_of_the_float32_weights(probe):
    """The oracle: features of the file before it was rounded, computed once by torchvision."""
    path = Path(__file__).with_name("imagenet_features.safetensors")
    found, expected = probe.features(drawn()), load_file(path)["features"]
    error = (found - expected).norm(dim=1) / expected.norm(dim=1)
    # float16 rounds a weight by up to 0.05%; those of 25 layers add up to 0.1%
    assert (error < 0.004).all() and (error > 1e-5).all(), error
    assert (expected.std(0) > 0.1).any()  # the images differ


def test_the_packaged_file_is_the_one_described(probe, monkeypatch, tmp_path):
    assert sha256_of(IMAGENET_WEIGHTS) == DESCRIPTION["sha256"]
    assert IMAGENET_WEIGHTS.stat().st_size == DESCRIPTION["bytes"] < 5_000_000
    assert probe.sha256 == DESCRIPTION["sha256 of the state"]
    assert probe.image_size == 64
    assert load_probe("imagenet", image_size=96, device="cpu").image_size == 96
    monkeypatch.setenv("T2V_WEIGHTS", str(tmp_path))
    assert load_probe("imagenet", device="cpu").sha256 == probe.sha256


def test_licences_of_the_weights_are_in_the_package():
    texts = [path.name for path in IMAGENET_WEIGHTS.with_name("licences").iterdir()]
    whole = (ROOT / "pyproject.toml").read_text("utf-8")
    expression = re.search(r'^license = "(.*)"', whole, re.MULTILINE)[1].split(" AND ")
    for licence in DESCRIPTION["licence"].split(" AND "):
        assert any(name.startswith(licence) for name in texts), licence
        assert licence in expression


def test_fine_tuning_lowers_the_loss_and_leaves_the_probe_as_it_was(probe):
    before = probe.features(drawn())
    images = torch.randint(0, 256, (60, 3, 48, 48), generator=torch.Generator().manual_seed(0))
    images[:30, :, :, 24:] //= 2  # half of them are darker on one side, which mirroring moves
    task = Task("dark side", images.to(torch.uint8), torch.arange(60) // 30, ("a", "b"))
    torch.manual_seed(0)
    training = Training(task, probe, Schedule(40, batch_size=16, lr=0.0001))
    training.run(40)
    losses = torch.tensor(training.losses)
    assert losses[30:].mean() < 0.7 * losses[:10].mean(), losses
    extractor, _ = training.finish()
    assert not torch.equal(extractor.features(drawn()), before)
    assert torch.equal(probe.features(drawn()), before)


def test_fisher_information_of_every_convolution(probe):
    """All 25, one on one and three by three side by side, against the definition."""
    torch.manual_seed(0)
    network = probe.with_head(Head(torch.randn(3, 512) / 10, torch.zeros(3), 0.0, 1.0)).double()
    images = torch.randn(2, 3, 32, 32, dtype=torch.float64)
    expected = brute_force_fisher(network.requires_grad_(True), images)
    found = filter_fisher(network, images)
    assert len(found) == 25
    # float64: rounding alone
    assert relative_error(found, expected) < 1e-6
