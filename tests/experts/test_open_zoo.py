"""The zoo in the package: what is written comes out, and its experts can be made from it."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from t2v.cli import app as cli
from t2v.cli.plain_words import duration, origin
from t2v.distances import distance_matrix
from t2v.embedding import domain2vec, task2vec
from t2v.errors import FileError, InputError
from t2v.experts import open_zoo
from t2v.experts.fine_tuning import fine_tune
from t2v.experts.open_zoo import OpenEntry, OpenZoo
from t2v.experts.schedules import BY_PROBE, OTHERS, default_schedule, estimated_seconds
from t2v.experts.training import Schedule
from t2v.experts.zoo_errors import ZooErrors
from t2v.experts.zoo_folder import Zoo
from t2v.libraries.expert_tasks import SCHEDULES
from t2v.libraries.open_zoo import shards
from t2v.probe import load_probe
from tests.small import small_probe, small_task

NAMES = ("all blots", "spots")


@pytest.fixture(scope="module")
def tasks():
    return [
        small_task(name, count=18, seed=k, held_out=0, group="marks", lineage=("marks", name))
        for k, name in enumerate(NAMES)
    ]


@pytest.fixture(scope="module")
def probe():
    return load_probe("synthetic", device="cpu")


@pytest.fixture(scope="module")
def experts(tasks, probe):
    return [fine_tune(task, probe, schedule=Schedule(2, 8, 0.01), seed=3) for task in tasks]


@pytest.fixture(scope="module")
def parts(tasks, probe, experts):
    """Entries and errors of two experts, as they are before they are written."""
    entries = []
    for task, expert in zip(tasks, experts, strict=True):
        embedding = task2vec(task, probe, passes=2)
        entries.append(OpenEntry.of(expert, embedding, domain2vec(task, probe, "second")))
    others = [small_task(f"other {k}", count=18, seed=9 + k) for k in range(3)]
    embedded = tuple(task2vec(task, probe, passes=2) for task in others)
    errors = np.array([[0.1, 0.4], [0.3, np.nan], [0.3, 0.2]])
    return entries, ZooErrors(embedded, NAMES, errors)


@pytest.fixture
def zoo(parts, tmp_path):
    return OpenZoo.save(*parts, tmp_path / "open.safetensors", scale="smoke", command="a test")


@pytest.fixture
def packaged(zoo, tasks, tmp_path, monkeypatch):
    """The small zoo in place of the package's."""
    monkeypatch.setattr(open_zoo, "FILE", zoo.path)
    monkeypatch.setattr(open_zoo, "expert_tasks", lambda library, scale: tasks)
    monkeypatch.setenv("T2V_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.chdir(tmp_path)
    return zoo


@pytest.fixture
def t2v(capsys):
    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            cli.main([str(a) for a in arguments])
        out, err = capsys.readouterr()
        return SimpleNamespace(code=ended.value.code or 0, out=out, err=err)

    return run


def test_what_is_written_comes_out_in_single_precision(zoo, parts):
    entries, errors = parts
    for found, written in zip(zoo.entries, entries, strict=True):
        assert (found.name, found.classes) == (written.name, written.classes)
        assert found.recipe == json.loads(json.dumps(written.recipe))
        assert {"fingerprint", "schedule", "seed", "sha256", "start"} <= found.recipe.keys()
        for one, other in (
            (found.embedding, written.embedding),
            (found.domain(), written.domain()),
        ):
            # 24 bits of each number; the mean of a layer moves by less
            np.testing.assert_allclose(one.fisher, other.fisher, rtol=2**-24)
            np.testing.assert_allclose(one.trivial, other.trivial, rtol=2**-23)
            for key in ("name", "lineage", "group", "layers", "spec"):
                assert getattr(one, key) == getattr(other, key)
    assert zoo.errors.experts == NAMES
    np.testing.assert_allclose(zoo.errors.errors, errors.errors, rtol=2**-24)
    assert [task.name for task in zoo.errors.tasks] == [task.name for task in errors.tasks]
    expected = np.mean([entry.embedding.trivial for entry in entries], axis=0)
    np.testing.assert_allclose(zoo.trivial, expected, rtol=2**-23)


def test_the_same_zoo_gives_the_same_bytes(zoo, parts, tmp_path):
    files = zoo.path, zoo.path.with_suffix(".json")
    before = [file.read_bytes() for file in files]
    OpenZoo.save(*parts, zoo.path, scale="smoke", command="a test")
    assert [file.read_bytes() for file in files] == before
    assert zoo.about["command"] == "a test"


def test_damaged_files_and_other_trivial_embeddings_are_refused(zoo, parts, tmp_path):
    whole = zoo.path.read_bytes()
    zoo.path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(FileError, match="missing, damaged or older"):
        _ = OpenZoo(zoo.path).entries
    with pytest.raises(FileError, match="missing, damaged or older"):
        _ = OpenZoo(tmp_path / "nowhere.safetensors").entries
    entries, errors = parts
    odd = replace(entries[0].embedding, trivial=2 * entries[0].embedding.trivial)
    with pytest.raises(InputError, match="'all blots': .* not of the form own"):
        OpenZoo.save([replace(entries[0], embedding=odd)], errors, zoo.path, scale="smoke")


def test_a_changed_training_task_is_refused(packaged, tasks, monkeypatch):
    with pytest.raises(InputError, match="no expert 'dots'; it has: all blots, spots"):
        packaged.named(["dots"])
    monkeypatch.setattr(open_zoo, "expert_tasks", lambda *_: [tasks[0].subset(range(9)), tasks[1]])
    assert packaged.training_tasks(packaged.entries[1:]) == tasks[1:]
    with pytest.raises(FileError, match="'all blots' is not that of its recipe"):
        packaged.training_tasks(packaged.entries)


def test_from_a_folder_of_photographs_to_the_expert(packaged, experts, t2v, tmp_path):
    rng = np.random.default_rng(0)
    for k in range(2):
        (tmp_path / "mine" / str(k)).mkdir(parents=True)
        for i in range(6):
            pixels = (rng.integers(0, 99, (48, 48, 3)) + 100 * k).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "mine" / str(k) / f"{i}.png")
    listed = t2v("zoo", "list", "open").out
    assert all(name in listed for name in NAMES) and "without weights" in listed

    ask = ("recommend", "mine", "--splits", 0, "--device", "cpu")
    answer = json.loads(t2v(*ask, "--zoo", "open", "--json").out)
    first, use = answer["experts"][0], answer["use"]
    told = t2v(*ask, "--zoo", "open").out
    assert ("zoo make" in told) == (use != "generic")

    made = t2v("zoo", "make", "made", "--experts", "all blots", "--device", "cpu")
    assert made.code == 0, made.err
    assert "training one expert takes about" in made.out
    # which of the two, the processor decides
    assert "to the last digit" in made.out or "rounded differently here" in made.out
    rest = t2v("zoo", "make", "made", "--device", "cpu").out
    assert "training one expert" in rest and "made/spots" in rest
    assert t2v("zoo", "make", "made", "--device", "cpu").out == "made: has them all\n"
    # what the folder recommends is what the package recommends, by errors too
    folder = Zoo(tmp_path / "made")
    for one, other, expert in zip(folder.entries, packaged.entries, experts, strict=True):
        np.testing.assert_array_equal(one.embedding.fisher, other.embedding.fisher)
        # two steps of single precision: a sum may be rounded otherwise the second time
        weights = expert.extractor.network.state_dict()
        torch.testing.assert_close(
            one.expert("cpu").extractor.network.state_dict(), weights, rtol=1e-4, atol=1e-5
        )
    np.testing.assert_array_equal(folder.errors.errors, packaged.errors.errors)
    again = json.loads(t2v(*ask, "--zoo", "made", "--json").out)
    assert again["experts"][0] == first
    learnt = [json.loads(t2v(*ask, "--zoo", z, "--strategy", "model2vec", "--json").out)
              for z in ("open", "made")]  # fmt: skip
    assert learnt[0] == learnt[1] and learnt[0]["strategy"] == "model2vec"


def test_the_line_that_names_the_command_is_one_a_shell_takes(packaged, t2v, parts, tmp_path):
    """For a copy of a training task, which is near, whatever the threshold."""
    from t2v.task import Task

    blots = small_task(NAMES[0], count=18, seed=0, held_out=0)
    for i, (image, k) in enumerate(zip(blots.images, blots.labels, strict=True)):
        folder = tmp_path / "copy" / blots.classes[int(k)]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(folder / f"{i:02}.png")
    probe = packaged.load_probe(device="cpu")
    copy = task2vec(Task.from_folder(tmp_path / "copy", size=48), probe)
    near = distance_matrix([copy], [e.embedding for e in packaged.entries])[0]
    assert near.argmin() == 0
    ask = ("recommend", "copy", "--zoo", "open")
    told = t2v(*ask, "--splits", 0, "--strategy", "symmetric").out
    assert told.endswith("t2v zoo make FOLDER --experts 'all blots'\n")


def test_what_is_said_of_an_expert_that_was_made(parts):
    recipe = parts[0][0].recipe

    def made(**changes):
        return {**recipe, **changes}

    assert "to the last digit" in origin(recipe, made())
    assert "rounded differently here" in origin(recipe, made(sha256="x"))
    newer = made(sha256="x", versions={"torch": "9.9"})
    assert f"with torch 9.9 instead of {recipe['versions']['torch']}" in origin(recipe, newer)
    assert "decoded to other values" in origin(recipe, made(sha256="x", fingerprint="y"))
    assert [duration(s) for s in (0.2, 59, 130, 7200)] == ["1 s", "59 s", "2 minutes", "2.0 hours"]


def test_the_schedule_is_that_of_the_probe_unless_something_is_said(probe):
    assert default_schedule(probe) == BY_PROBE["synthetic"]
    of_the_book = Schedule(**SCHEDULES["open"]["laptop"])
    assert default_schedule(replace(probe, name="imagenet")) == of_the_book
    assert default_schedule(small_probe()) == OTHERS
    own = default_schedule(probe, steps=7, rate=0.5)
    assert own == replace(BY_PROBE["synthetic"], steps=7, lr=0.5)


def test_the_estimate_is_of_all_steps(probe, tasks, monkeypatch):
    from t2v.experts import schedules

    def run(training, steps):
        training.seconds += {1: 100.0, 2: 3.0}[steps]  # the first step is not counted

    monkeypatch.setattr(schedules.Training, "run", run)
    assert estimated_seconds(tasks[0], probe, Schedule(200)) == pytest.approx(300)


def test_the_zoo_in_the_package_is_that_of_the_library():
    zoo, of_package = OpenZoo(), load_probe("imagenet", device="cpu")
    tasks = [row["name"] for row in shards.table("tasks")]
    sources = [row["name"] for row in shards.table("training_tasks")]
    assert [entry.name for entry in zoo.entries] == sources
    assert [task.name for task in zoo.errors.tasks] == tasks
    assert zoo.load_probe(device="cpu").sha256 == of_package.sha256
    assert {entry.recipe["start"] for entry in zoo.entries} == {of_package.sha256}
    assert (zoo.about["scale"], zoo.about["image_size"]) == ("laptop", 64)
    schedules = {repr(Schedule(**entry.recipe["schedule"])) for entry in zoo.entries}
    assert schedules == {repr(BY_PROBE["imagenet"])}
    assert zoo.path.stat().st_size < 3e6
    # errors are shares, and only a task's own expert has none
    errors, own = zoo.errors.errors, np.equal.outer(tasks, sources)
    assert np.nanmin(errors) >= 0 and np.nanmax(errors) <= 1
    assert not (np.isnan(errors) & ~own).any()
