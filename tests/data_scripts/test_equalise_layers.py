"""The scale of the probe's convolutions: free, as batch norm undoes it, and fixed all the same."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from data_scripts.probe.equalise_layers import layer_means, rescaled
from t2v.pretrained.architectures import SYNTHETIC_WEIGHTS
from t2v.probe import load_probe


@pytest.mark.slow
def test_layers_of_the_packaged_probe_have_the_same_mean_fisher():
    means = layer_means(SYNTHETIC_WEIGHTS)
    # as trained they differ by a factor of a thousand; a change of the drawing moves them a little
    assert max(means.values()) / min(means.values()) < 2


def test_rescaling_leaves_the_features_unchanged(tmp_path):
    state = load_file(SYNTHETIC_WEIGHTS)
    layers = [key.removesuffix(".weight") for key, w in state.items() if w.dim() == 4]
    means = {layer: 4.0**i for i, layer in enumerate(layers)}
    save_file(rescaled(state, means), tmp_path / "scaled.safetensors")
    images = torch.randint(0, 256, (4, 3, 48, 48), dtype=torch.uint8)
    one = load_probe("synthetic", device="cpu").features(images)
    other = load_probe("synthetic", weights=tmp_path / "scaled.safetensors", device="cpu")
    # epsilon of batch norm is all that does not scale: 1e-5 of variances of order one
    torch.testing.assert_close(one, other.features(images), rtol=1e-3, atol=1e-3)
