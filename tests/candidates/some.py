"""Networks and images for tests of the room: small, and different enough to be told apart."""

from dataclasses import replace

import numpy as np
from PIL import Image

from t2v.candidates import Candidate, Network
from tests.small import small_probe


def network(name="a", seed=0, parameters=1000, head=None, resize=14):
    probe = replace(small_probe(seed), name=name)
    return Network(Candidate(name, parameters, 0.5, "MIT", None), probe, head, resize)


def folder_of_images(place, classes=3, count=12, contrast=90, seed=0):
    """Noise around a grey of its own for each class."""
    rng = np.random.default_rng(seed)
    for k in range(classes):
        (place / f"c{k}").mkdir(parents=True)
        for i in range(count):
            pixels = np.clip(rng.integers(0, 70, (20, 24, 3)) + contrast * k, 0, 255)
            Image.fromarray(pixels.astype(np.uint8)).save(place / f"c{k}" / f"{i:02}.png")
    return place
