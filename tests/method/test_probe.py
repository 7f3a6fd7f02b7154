"""Probes: features and heads against torchvision's own networks."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file
from torchvision import models

from t2v.errors import FileError, InputError
from t2v.head import Head
from t2v.probe import load_probe

SIZES = {"inception_v3": 96, "vit_b_32": 224, "googlenet": 64}
NAMES = [
    "resnet18",
    "densenet121",
    "mobilenet_v2",
    "mobilenet_v3_small",
    "shufflenet_v2_x0_5",
    "efficientnet_b0",
    "mnasnet0_5",
    "regnet_x_400mf",
    "convnext_tiny",
    "googlenet",
    "inception_v3",
    "swin_t",
    "vit_b_32",
]


def original(name, size, folder):
    torch.manual_seed(0)
    network = models.get_model(name, weights=None, num_classes=7).eval()
    if name in ("googlenet", "inception_v3"):
        network.transform_input = True  # as torchvision has it for pretrained weights
    path = folder / f"{name}.safetensors"
    save_file({k: v.contiguous() for k, v in network.state_dict().items()}, path)
    probe = load_probe(name, weights=path, image_size=size, device="cpu")
    images = torch.randint(0, 256, (2, 3, size, size), dtype=torch.uint8)
    return network, probe, images


@pytest.mark.parametrize("name", NAMES)
def test_a_probe_with_the_original_head_is_the_original_network(name, tmp_path):
    network, probe, images = original(name, SIZES.get(name, 64), tmp_path)
    state = network.state_dict()
    head = Head(state[probe.head_at + ".weight"], state[probe.head_at + ".bias"], 0.0, 1.0)
    pixels = (images.float() / 255 - torch.tensor(probe.mean).view(3, 1, 1)) / torch.tensor(
        probe.std
    ).view(3, 1, 1)
    # the probe's memory layout: in another, sums are taken in another order
    layout = {"memory_format": torch.channels_last}
    with torch.no_grad():
        expected = network.to(**layout)(pixels.contiguous(**layout))
        got = probe.with_head(head)(probe.preprocess(images))
    torch.testing.assert_close(got, expected)  # the same operations: float32 rounding only
    torch.testing.assert_close(probe.logits(images, head), expected, rtol=1e-4, atol=1e-5)


def test_squeezenet_becomes_linear_in_its_features(tmp_path):
    network, probe, images = original("squeezenet1_1", 64, tmp_path)
    conv = network.classifier[1]
    head = Head(conv.weight[:, :, 0, 0].detach(), conv.bias.detach(), 0.0, 1.0)
    with torch.no_grad():
        expected = conv(network.features(probe.preprocess(images))).mean((2, 3))
        got = probe.with_head(head)(probe.preprocess(images))
    torch.testing.assert_close(got, expected)


def test_filters_are_the_convolutions_in_order(tmp_path):
    network, probe, _ = original("resnet18", 64, tmp_path)
    weights = network.state_dict()
    convs = {k.removesuffix(".weight"): len(v) for k, v in weights.items() if v.dim() == 4}
    assert list(probe.filters.items()) == list(convs.items())
    assert sum(probe.filters.values()) == 4800


def test_preprocessing_of_sources_and_sizes(tmp_path):
    _, probe, _ = original("resnet18", 32, tmp_path)
    wide = torch.zeros(3, 40, 80, dtype=torch.uint8)
    wide[:, :, 10:70] = 255  # the centre crop, 40 px wide, sees only white
    pixels = probe.preprocess([wide, torch.full((3, 32, 32), 255, dtype=torch.uint8)])
    white = (1 - torch.tensor(probe.mean)) / torch.tensor(probe.std)
    torch.testing.assert_close(pixels, white.view(1, 3, 1, 1).expand(2, 3, 32, 32))


def test_the_synthetic_probe_comes_with_the_package():
    probe = load_probe("synthetic", device="cpu")
    assert probe.image_size == 48
    assert torch.isfinite(probe.features(torch.zeros(2, 3, 48, 48, dtype=torch.uint8))).all()
    assert load_probe("synthetic", device="cpu").sha256 == probe.sha256


def test_bad_probes(tmp_path):
    with pytest.raises(InputError, match="unknown probe 'resnet19'"):
        load_probe("resnet19")
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"\x10\0\0\0\0\0\0\0{}")
    with pytest.raises(FileError, match="broken.safetensors"):
        load_probe("resnet18", weights=broken)
    with pytest.raises(FileError, match="nowhere.pth"):
        load_probe("resnet18", weights=tmp_path / "nowhere.pth")
    original("resnet18", 32, tmp_path)
    with pytest.raises(FileError, match="do not fit resnet34"):
        load_probe("resnet34", weights=tmp_path / "resnet18.safetensors")
    if not torch.cuda.is_available():
        with pytest.raises(InputError, match="device 'cuda'"):
            load_probe("synthetic", device="cuda")


def test_weights_from_before_batches_were_counted(tmp_path):
    """torchvision's older files: PyTorch itself takes them, too."""
    state = models.get_model("resnet18", weights=None).state_dict()
    old = {k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}
    torch.save(old, tmp_path / "old.pth")
    save_file(state, tmp_path / "new.safetensors")
    probes = [load_probe("resnet18", tmp_path / f) for f in ("old.pth", "new.safetensors")]
    image = torch.randint(256, (1, 3, 40, 40), dtype=torch.uint8)
    first, second = (replace(probe, image_size=40).features(image) for probe in probes)
    assert torch.equal(first, second)


def test_a_checkpoint_is_not_a_state_dict(tmp_path):
    torch.save({"state_dict": {"w": torch.ones(1)}, "epoch": 3}, tmp_path / "last.pth")
    with pytest.raises(FileError, match=r"last\.pth: not a state dict: 'state_dict'"):
        load_probe("resnet18", weights=tmp_path / "last.pth")


@pytest.mark.parametrize("device", ["gpu", "cuda:99"])
def test_a_device_that_is_not_there(device):
    with pytest.raises(InputError, match=f"device '{device}' is not available"):
        load_probe("synthetic", device=device)


def test_weights_folder_of_the_environment(tmp_path, monkeypatch):
    _, probe, _ = original("mobilenet_v3_small", 32, tmp_path)
    monkeypatch.setenv("T2V_WEIGHTS", str(tmp_path))
    assert load_probe("mobilenet_v3_small", image_size=32).sha256 == probe.sha256
