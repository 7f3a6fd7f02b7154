"""What fine-tuning brings is measured on images that it has not seen."""

import numpy as np
import pytest

from t2v.candidates import TensorImages
from t2v.candidates import fine_tuned as module
from t2v.candidates.fine_tuned import fine_tune_network
from t2v.errors import InputError
from t2v.experts.training import Schedule
from tests.candidates.some import network
from tests.small import small_task


def test_before_is_the_error_of_the_features_on_the_same_quarter(monkeypatch, tmp_path):
    monkeypatch.setenv("T2V_CACHE", str(tmp_path))
    schedule = Schedule(steps=4, batch_size=8, lr=1e-9)
    monkeypatch.setattr(module, "default_schedule", lambda probe: schedule)
    task = small_task(count=80, held_out=0)
    said = []
    found = fine_tune_network(
        network(),
        TensorImages(task.images),
        task.labels.numpy(),
        task.classes,
        announce=said.append,
    )
    assert found.images == 20 and len(said) == 1
    # weights that do not move leave the error where it was
    assert found.after == found.before and found.p_better == 0.5
    assert found.words == "whether it helps cannot be told"
    assert found.as_dict()["before"]["value"] == found.before.value


def test_a_class_without_a_quarter_is_refused():
    task = small_task(count=9)
    with pytest.raises(InputError, match="class 'c0' has 3 images; four are needed"):
        fine_tune_network(network(), TensorImages(task.images), np.array(task.labels), task.classes)
