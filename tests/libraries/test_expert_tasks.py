"""Training tasks of the experts: broad, and never on held-out images of a task."""

import hashlib

import pytest

from t2v.errors import InputError
from t2v.experts.training import Schedule
from t2v.libraries import load_library
from t2v.libraries.expert_tasks import SCHEDULES, TRAINING_SIZES, expert_tasks
from t2v.libraries.photographs import fashion
from t2v.libraries.photographs.plans import held_out


@pytest.fixture(scope="module")
def training_tasks():
    return expert_tasks("synthetic", "smoke", 3)


def hashes(task):
    return {hashlib.sha256(image.numpy().tobytes()).hexdigest() for image in task.images}


def test_no_expert_sees_a_held_out_image(training_tasks):
    tested = set()
    for task in load_library("synthetic", "smoke", 3):
        tested |= hashes(task.held_out)
    assert tested
    for task in training_tasks:
        assert task.test is None and not hashes(task) & tested, task.name


def test_halves_share_a_class_of_creatures_but_no_species(training_tasks):
    one, other = (task for task in training_tasks if task.name.startswith("birds "))
    assert one.group == other.group == "birds"
    assert not set(one.classes) & set(other.classes)
    phylogeny = load_library("phylogeny", "smoke", 3)
    species = {name for task in phylogeny if task.group == "birds" for name in task.classes}
    assert set(one.classes) | set(other.classes) == species
    assert [path[-1] for path in one.class_lineages] == list(one.classes)


def test_the_same_seed_gives_the_same_tasks(training_tasks):
    again = expert_tasks("synthetic", "smoke", 3)
    assert [t.fingerprint for t in again] == [t.fingerprint for t in training_tasks]
    other = expert_tasks("synthetic", "smoke", 4)
    assert not {t.fingerprint for t in other} & {t.fingerprint for t in training_tasks}


def test_unknown_library_is_refused():
    with pytest.raises(InputError, match="expert tasks of 'cub' at 'laptop'"):
        expert_tasks("cub")


def test_experts_of_every_scale_can_be_trained():
    for schedules in SCHEDULES.values():
        assert all(Schedule(**schedules[scale]).steps > 0 for scale in TRAINING_SIZES)


def rows(labels, **columns):
    return [
        {"path": f"{label}/{i}.jpg", "label": label, **columns}
        for label in labels
        for i in range(40)
    ]


def test_broad_tasks_of_photographs_have_every_class_that_is_large_enough():
    index = rows(
        ["a"], gender="Women", masterCategory="Shoes", season="NA", usage="", baseColour=""
    )
    index += rows(
        ["b"], gender="Men", masterCategory="Shoes", season="Fall", usage="", baseColour=""
    )
    index += rows(
        ["c"], gender="Boys", masterCategory="Bags", season="Fall", usage="", baseColour=""
    )[:5]
    plans = {plan.name: plan for plan in fashion.broad_tasks(index, "laptop", 0)}
    assert list(plans["fashion/all: gender"].members) == ["Men", "Women"]
    assert set(plans) == {"fashion/all: gender"}  # the others have one class that is large enough
    shown = plans["fashion/all: gender"].members["Men"]
    assert {row["label"] for row in shown} == {"b"} and any(held_out(r["path"]) for r in shown)
