"""Packaging of weights trained on ImageNet: what goes in comes out, rounded, in the same bytes."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from torchvision import models

from data_scripts.probe import package_imagenet
from t2v import FileError, load_probe
from t2v._run.files import sha256_of
from t2v.pretrained import architectures


@pytest.mark.parametrize("architecture", package_imagenet.SOURCES)
def test_packaged_weights_are_the_rounded_ones(architecture, tmp_path, monkeypatch):
    torch.manual_seed(0)
    state = models.get_model(architecture, weights=None).state_dict()
    before, out = tmp_path / "before.safetensors", tmp_path / "imagenet.safetensors"
    save_file(state, before)
    source = package_imagenet.SOURCES[architecture] | {"sha256": sha256_of(before)}
    monkeypatch.setitem(package_imagenet.SOURCES, architecture, source)
    description = package_imagenet.write(before, architecture, out)
    assert json.loads(out.with_suffix(".json").read_text("utf-8")) == description
    files = out.read_bytes(), out.with_suffix(".json").read_bytes()
    package_imagenet.write(before, architecture, out)
    assert files == (out.read_bytes(), out.with_suffix(".json").read_bytes())

    packed = load_file(out)
    assert set(state) - set(packed) == {"classifier.1.weight", "classifier.1.bias"}
    for name, value in packed.items():
        assert value.dtype in (state[name].dtype, torch.float16)
        if value.is_floating_point():  # float16 keeps 11 bits, and 2⁻²⁵ of small numbers
            torch.testing.assert_close(value.float(), state[name], rtol=2**-11, atol=2**-25)
    # the name `imagenet` stands for the architecture that the description names
    monkeypatch.setattr(architectures, "IMAGENET_WEIGHTS", out)
    probe = load_probe("imagenet", weights=out, device="cpu")
    assert probe.sha256 == description["sha256 of the state"]
    other = load_probe(architecture, weights=before, image_size=64, device="cpu")
    assert probe.filters == other.filters
    image = torch.randint(256, (2, 3, 64, 64), dtype=torch.uint8)
    found, expected = probe.features(image), other.features(image)
    # float16's 0.05% through all layers
    assert (found - expected).norm() < 0.02 * expected.norm()


def test_other_weights_are_refused(tmp_path):
    save_file({"a": torch.zeros(1)}, tmp_path / "mobilenet_v2.safetensors")
    with pytest.raises(FileError, match=r"mobilenet_v2\.safetensors: sha256 .* is not"):
        package_imagenet.write(
            tmp_path / "mobilenet_v2.safetensors", "mobilenet_v2", tmp_path / "out.safetensors"
        )
    assert not (tmp_path / "out.safetensors").exists()
