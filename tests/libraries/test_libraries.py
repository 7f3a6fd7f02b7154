"""All libraries: the same keys of provenance with the same meaning, one list of names."""

import pytest
import torch

from data_scripts.photographs.sources import SOURCES
from t2v.libraries import DRAWN, NAMES, OF_ATTRIBUTES, PHOTOGRAPHS, load_library
from t2v.libraries.photographs.load import data_set

KEYS = {"title", "licence", "scale", "seed", "tasks", "images", "held_out", "pixels", "skipped"}


@pytest.mark.parametrize("name", DRAWN)
def test_provenance_counts_different_images(name):
    library = load_library(name, "smoke", 3)
    facts = library.provenance
    assert set(facts) == KEYS and facts["scale"] == "smoke" and facts["seed"] == 3
    assert facts["licence"] == "CC BY 4.0" and facts["skipped"] == []
    assert facts["tasks"] == len(library) and not library.photographs
    images = torch.cat([task.images for task in library])
    held_out = torch.cat([task.held_out.images for task in library])
    assert facts["images"] == len(images.flatten(1).unique(dim=0))
    assert facts["held_out"] == len(held_out.flatten(1).unique(dim=0))
    assert images.shape[2:] == (facts["pixels"], facts["pixels"])


def test_every_set_of_photographs_has_a_publisher_and_plans():
    assert tuple(SOURCES) == PHOTOGRAPHS
    assert all(callable(data_set(name).narrow_tasks) for name in PHOTOGRAPHS)
    of_attributes = {"wardrobe", "fashion", "imaterialist", "deepfashion"}
    assert of_attributes == set(OF_ATTRIBUTES) & set(NAMES)
