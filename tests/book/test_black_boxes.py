"""SIFT with Fisher vectors: learnt, checked by what they must be able to tell apart."""

import pickle

import numpy as np
import pytest
import torch

from t2v.book.black_boxes import DIRECTIONS, MODES, sift_expert
from t2v.errors import InputError
from t2v.experts.linear_classifiers import fit_classifiers


def shapes(kind, count, seed):
    """Images of squares or of crosses at random places, with some noise."""
    rng = np.random.default_rng(seed)
    images = rng.normal(128, 4, (count, 40, 40))
    for image in images:
        for x, y in rng.integers(8, 32, (4, 2)):
            if kind == "squares":
                image[y - 3 : y + 3, x - 3 : x + 3] = 250
            else:
                image[y - 6 : y + 6, x] = image[y, x - 6 : x + 6] = 250
    return torch.tensor(images.clip(0, 255)).to(torch.uint8)[:, None].repeat(1, 3, 1, 1)


@pytest.fixture(scope="module")
def expert():
    return sift_expert(torch.cat([shapes("squares", 6, 0), shapes("crosses", 6, 1)]), 40)


def test_it_tells_shapes_apart_at_other_places(expert):
    images = torch.cat([shapes(kind, 16, s) for s, kind in enumerate(("squares", "crosses"), 2)])
    labels = torch.arange(32) // 16
    x = expert.extractor.features(images)[None]
    train = torch.arange(32) % 2 == 0
    fitted = fit_classifiers(x[:, train], labels[train], num_classes=2)
    assert fitted.errors(x[:, ~train], labels[~train])[0] < 0.2  # chance: 0.5


def test_features_have_length_one_and_an_empty_image_has_none(expert):
    images = torch.cat([shapes("squares", 1, 5), torch.full((1, 3, 40, 40), 7, dtype=torch.uint8)])
    features = expert.extractor.features(images)
    assert features.shape == (2, MODES * (2 * DIRECTIONS + 1))
    assert features.norm(dim=1).tolist() == pytest.approx([1, 0], abs=1e-5)


def test_its_checksum_is_that_of_what_it_learnt(expert):
    extractor = expert.extractor
    assert pickle.loads(pickle.dumps(extractor)).sha256 == extractor.sha256
    assert sift_expert(shapes("squares", 20, 7), 40).extractor.sha256 != extractor.sha256


def test_too_few_points_are_refused():
    with pytest.raises(InputError, match="0 points found in 2 images"):
        sift_expert(torch.zeros(2, 3, 40, 40, dtype=torch.uint8), 40)
