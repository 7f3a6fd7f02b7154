"""The nearest tasks of the open zoo, and what networks did on them."""

import numpy as np
import pytest

from t2v.candidates import TensorImages, similar, similar_tasks
from t2v.experts.open_zoo import OpenZoo
from tests.small import small_task


def test_a_task_of_the_open_zoo_finds_itself():
    zoo = OpenZoo()
    found = similar.nearest(zoo.errors.tasks[3], zoo)
    assert found.names[0] == zoo.errors.tasks[3].name and len(found.names) == 5
    assert found.distances[0] == pytest.approx(0, abs=1e-9)
    assert list(found.distances) == sorted(found.distances)


def test_the_second_time_no_image_is_opened(monkeypatch, tmp_path):
    monkeypatch.setenv("T2V_CACHE", str(tmp_path))
    task = small_task(count=30)
    images, labels = TensorImages(task.images), task.labels.numpy()
    found = similar_tasks(images, labels, task.classes, device="cpu")
    monkeypatch.setattr(images, "open", None)
    assert similar_tasks(images, labels, task.classes, device="cpu") == found
    with pytest.raises(TypeError):  # other labels are another task
        similar_tasks(images, labels[::-1].copy(), task.classes, device="cpu")


def test_the_packaged_table_has_all_tasks_of_the_zoo():
    table = similar.open_errors()
    tasks = {task.name for task in OpenZoo().errors.tasks}
    assert table and all(set(errors) == tasks for errors in table.values())
    values = np.array([list(errors.values()) for errors in table.values()])
    assert ((values >= 0) & (values <= 1)).all()
    some = sorted(tasks)[:3]
    mean = similar.mean_errors(some)
    assert mean["resnet18"] == pytest.approx(np.mean([table["resnet18"][t] for t in some]))
    assert similar.mean_errors(["no such task"]) == {}
