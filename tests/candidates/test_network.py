"""A published network in one pass: its features, and its own head's probabilities."""

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import models

from t2v.candidates import load_networks, published
from t2v.errors import InputError
from t2v.transferability import leep
from tests.candidates.some import network


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Random weights of three designs of head: a linear layer, an MLP's last, a convolution."""
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    for name in ("resnet18", "mobilenet_v3_small", "squeezenet1_1"):
        torch.save(models.get_model(name, weights=None).state_dict(), folder / f"{name}.pth")
    return folder


def squares(side, count=3):
    rng = np.random.default_rng(0)
    return [Image.fromarray(rng.integers(0, 255, (side, side, 3), np.uint8)) for _ in range(count)]


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small", "squeezenet1_1"])
def test_probabilities_are_those_of_the_whole_network(weights, name):
    """Oracle: torchvision's own network and transform."""
    [candidate] = published([name], weights=weights)
    [loaded], missing = load_networks([candidate], 64, "cpu")
    assert missing == {} and candidate.weights == weights / f"{name}.pth"
    whole = models.get_model(name, weights=None).eval()
    whole.load_state_dict(torch.load(candidate.weights))
    entries = models.get_model_weights(name)
    own = getattr(entries, "IMAGENET1K_V1", entries.DEFAULT).transforms
    transform = own(resize_size=loaded.resize, crop_size=64)
    images = squares(loaded.resize, 4)
    features, probabilities = loaded.compute(images)
    with torch.no_grad():
        expected = whole(torch.stack([transform(i) for i in images])).softmax(1).numpy()
    # half precision keeps eleven bits
    np.testing.assert_allclose(probabilities, expected, rtol=2e-3, atol=1e-6)
    assert features.shape == (4, {"resnet18": 512, "squeezenet1_1": 512}.get(name, 1024))
    rows = probabilities.astype(float)
    assert np.isfinite(leep(rows / rows.sum(1, keepdims=True), [0, 1, 1, 0]))


def test_the_key_is_that_of_weights_and_preprocessing():
    assert network(seed=0).key == network(seed=0).key
    others = [network(seed=1), network(resize=16)]
    assert len({network().key, *(n.key for n in others)}) == 3


def test_an_image_size_that_the_network_cannot_take_is_named(monkeypatch):
    one = network("vit")

    def refuse(pixels):
        raise AssertionError("Wrong image height! Expected 224 but got 96!")

    monkeypatch.setattr(one.probe.network, "forward", refuse)
    with pytest.raises(InputError, match="vit cannot take images of 12 px.*--image-size"):
        one.compute(squares(14))
