"""Networks of timm: what is asked of that package, and what is made of its answers."""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from t2v.candidates import load_networks, published
from t2v.errors import FileError, InputError


class Tiny(nn.Module):
    """The part of timm's interface that is used."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.head = nn.Conv2d(3, 6, 3, 2), nn.Linear(6, 9)
        self.pretrained_cfg = {"classifier": "head"}

    def get_classifier(self):
        return self.head

    def reset_classifier(self, classes):
        assert classes == 0
        self.head = nn.Identity()

    def forward(self, x):
        return self.head(self.conv(x).relu().mean((2, 3)))


@pytest.fixture
def timm(monkeypatch):
    module = ModuleType("timm")
    module.__spec__ = SimpleNamespace(name="timm")
    made = []
    module.is_model = lambda name: name == "tiny"
    module.get_pretrained_cfg = lambda name: SimpleNamespace(license="apache-2.0")
    module.create_model = lambda name, **options: made.append((name, options)) or Tiny()
    config = {"input_size": (3, 20, 20), "mean": (0.5, 0.4, 0.3), "std": (0.2, 0.2, 0.1),
              "interpolation": "bicubic", "crop_pct": 0.8}  # fmt: skip
    module.data = SimpleNamespace(resolve_model_data_config=lambda model: config)
    monkeypatch.setitem(sys.modules, "timm", module)
    module.made = made
    return module


def test_a_network_of_timm_has_its_own_transform_and_head(timm):
    [candidate] = published(["timm:tiny.good"])
    assert (candidate.licence, candidate.parameters) == ("apache-2.0", None)
    [loaded], _ = load_networks([candidate], device="cpu")
    assert timm.made == [("tiny.good", {"pretrained": True})]
    assert (loaded.probe.image_size, loaded.resize, loaded.bicubic) == (20, 25, True)
    whole = Tiny().eval()
    assert loaded.candidate.parameters == sum(p.numel() for p in whole.parameters())
    pixels = np.random.default_rng(0).integers(0, 255, (25, 25, 3), np.uint8)
    features, probabilities = loaded.compute([Image.fromarray(pixels)])
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in ((0.5, 0.4, 0.3), (0.2, 0.2, 0.1)))
    x = torch.from_numpy(pixels[2:22, 2:22].transpose(2, 0, 1).copy()) / 255
    with torch.no_grad():
        expected = whole(((x - mean) / std)[None])
    np.testing.assert_allclose(probabilities, expected.softmax(1).numpy(), rtol=2e-3)
    np.testing.assert_allclose(
        whole.head(torch.from_numpy(features)).detach().numpy(),
        expected.numpy(),
        rtol=1e-4,
        atol=1e-6,
    )


def test_what_timm_cannot_give_is_named(timm, monkeypatch):
    with pytest.raises(InputError, match="timm has no network 'huge'"):
        published(["timm:huge"])

    def fail(name, **options):
        raise RuntimeError("no connection\nand a long story")

    timm.create_model = fail
    networks, missing = load_networks(published(["timm:tiny"]), device="cpu")
    assert networks == [] and missing == {"timm:tiny": "weights of timm:tiny: no connection"}
    here = published(["timm:tiny"])[0].__class__("timm:tiny", 1, None, "", __file__)
    with pytest.raises(FileError, match="no connection"):
        load_networks([here], device="cpu")


def test_without_timm_the_way_out_is_said(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 't2v\[timm\]'"):
        published(["timm:tiny"])
