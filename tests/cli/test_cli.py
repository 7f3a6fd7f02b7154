"""The command line as a user meets it: its output, its exit code, what it leaves on disk.

One test starts a process; the others call the same entry point in this one, which saves the
seconds that loading torch takes.
"""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from t2v import Embedding, Task, __version__, domain2vec, images, load_probe
from t2v._run import parallel as work
from t2v.cli import app as cli
from t2v.embedding import task2vec
from t2v.experts.error_matrix import error_matrix
from t2v.experts.zoo_errors import hold_out
from t2v.experts.zoo_folder import Zoo
from t2v.meta_task import MetaTask
from t2v.model2vec import Model2Vec
from t2v.selection import Nearest, NearestDomain


class Done:
    """How a command ended."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def t2v(folder, monkeypatch, capsys):
    """Runs a command in the folder of pictures."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "100")

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            cli.main([str(a) for a in arguments])
        return Done(ended.value.code or 0, *capsys.readouterr())

    return run


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Pictures of three tasks, two of them embedded."""
    root = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for task, contrast in (("pets", 100), ("cars", 60), ("mine", 90)):
        for k, name in enumerate(("one", "two")):
            (root / task / name).mkdir(parents=True)
            for i in range(8):
                pixels = rng.integers(0, 120, (50, 50, 3)) + contrast * k
                Image.fromarray(pixels.astype(np.uint8)).save(root / task / name / f"{i}.png")
    for task in ("pets", "cars"):
        with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as ended:
            patch.chdir(root)
            cli.main(["embed", task, "--probe", "synthetic", "--device", "cpu"])
        assert not ended.value.code
    return root


def test_as_a_process(folder):
    def run(*arguments):
        command = [sys.executable, "-m", "t2v", *arguments]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)

    done = run("distances", "pets.safetensors", "cars.safetensors", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["tasks"] == ["pets", "cars"]
    done = run("distances", "pets.safetensors")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("t2v: distances: at least two") and done.stderr.count("\n") == 1


def test_embed_writes_an_embedding_and_says_so(t2v, folder):
    embedding = Embedding.load(folder / "pets.safetensors")
    assert (embedding.name, embedding.spec["images"]) == ("pets", 16)
    done = t2v(
        "embed", "pets", "-o", "few.safetensors", "--probe", "synthetic", "--max-images", 6
    )  # fmt: skip
    assert done.code == 0 and "few.safetensors: 6 images, 2 classes" in done.out


def test_max_images_opens_no_more_pictures_than_it_uses(t2v, monkeypatch):
    opened, decode = [], images.decode
    monkeypatch.setattr(
        images, "decode", lambda path, size: opened.append(path) or decode(path, size)
    )
    done = t2v("embed", "pets", "-o", "six.safetensors", "--probe", "synthetic", "--max-images", 6)
    assert done.code == 0 and len(opened) == 6


def test_bars_leave_the_output_to_the_results(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes it for a terminal
    assert list(work.bar(range(3), "counting", 3, progress=True)) == [0, 1, 2]
    shown = capsys.readouterr()
    assert shown.out == "" and "counting" in shown.err


def test_distances_as_table_json_and_picture(t2v, folder):
    files = ("pets.safetensors", "cars.safetensors")
    table = t2v("distances", *files)
    assert "pets" in table.out and "0.000" in table.out
    answer = json.loads(t2v("distances", *files, "--json", "--plot", "d.png").out)
    assert answer["tasks"] == ["pets", "cars"]
    matrix = np.array(answer["distances"])
    assert matrix[0, 1] == matrix[1, 0] > 0
    assert Image.open(folder / "d.png").size[0] > 300


@pytest.fixture(scope="module")
def zoo(folder):
    """A zoo of two experts, one trained here and one from a state dict."""
    from t2v.pretrained.architectures import SYNTHETIC_WEIGHTS

    options = ["--probe", "synthetic", "--device", "cpu"]
    commands = (
        ["zoo", "add", "zoo", "pets", "--steps", "4", *options],
        ["zoo", "add", "zoo", str(SYNTHETIC_WEIGHTS), "--task", "cars", "--name", "motors"],
    )
    for command in commands:
        with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as ended:
            patch.chdir(folder)
            cli.main(command)
        assert not ended.value.code
    return folder / "zoo"


def test_zoo_is_filled_listed_and_emptied(t2v, zoo):
    assert sorted(p.name for p in zoo.iterdir()) == ["motors", "pets", "trivial.safetensors"]
    listed = t2v("zoo", "list", "zoo").out
    assert "pets" in listed and "motors" in listed and "synthetic, 48 px" in listed
    t2v("zoo", "add", "zoo", zoo / "pets" / "expert.safetensors", "--task", "mine", "--name", "x")
    assert sorted(p.name for p in zoo.iterdir()) == ["motors", "pets", "trivial.safetensors", "x"]
    assert t2v("zoo", "remove", "zoo", "x").out == "zoo: x is gone\n"
    assert sorted(p.name for p in zoo.iterdir()) == ["motors", "pets", "trivial.safetensors"]


def test_recommend_as_table_json_and_report(t2v, zoo, folder):
    ask = ("recommend", "mine", "--zoo", "zoo", "--splits", 2, "--device", "cpu")
    table = t2v(*ask, "--report", "r.html")
    answer = json.loads(t2v(*ask, "--json", "--top", 1).out)
    [first] = answer["experts"]
    assert first["name"] == "pets" and answer["halves"] == 4  # whose contrast is nearer
    assert f"{first['distance']:.3f}" in table.out and "pets" in table.out
    report = (folder / "r.html").read_text()
    assert "What to do next" in report and f"{first['distance']:.3f}" in report
    quick = json.loads(t2v(*ask[:-4], "--splits", 0, "--json").out)
    assert quick["experts"][0]["distance"] == first["distance"]
    assert quick["experts"][0]["spread"] is None and not quick["decisive"]
    near = first["symmetric"] < answer["threshold"]
    assert answer["use"] == quick["use"] == ("pets" if near else "generic")
    assert ("Take the generic network" in table.out) == (not near)


def test_without_options_the_probe_is_the_one_trained_on_photographs(t2v, zoo, folder):
    assert t2v("embed", "pets", "-o", "default.safetensors").code == 0
    spec = Embedding.load(folder / "default.safetensors").spec
    assert (spec["probe"], spec["image_size"]) == ("imagenet", 64)
    mixed = t2v("distances", "default.safetensors", "cars.safetensors")
    assert mixed.code == 2 and mixed.err.count("\n") == 1 and "probe" in mixed.err
    # a zoo of another probe says so before anything is computed
    mixed = t2v("recommend", "mine", "--zoo", "zoo", "--probe", "imagenet")
    assert mixed.code == 2 and "probe synthetic, not imagenet" in mixed.err

    few = ("--steps", 2, "--max-images", 4)
    # a size at which no threshold was measured
    assert t2v("zoo", "add", "photo zoo", "pets", *few, "--image-size", 48).code == 0
    ask = ("recommend", "mine", "--zoo", "photo zoo", "--splits", 0, "--max-images", 4)
    told = " ".join(t2v(*ask).out.split())
    assert "there is no threshold for this probe and distance" in told
    answer = json.loads(t2v(*ask, "--json").out)
    assert (answer["use"], answer["threshold"]) == ("pets", None)
    recipe = Zoo(folder / "photo zoo").entries[0].expert("cpu").recipe
    assert recipe["schedule"]["lr"] < 0.001  # at .002 the loss of this probe explodes


@pytest.mark.parametrize("name", ["symmetric", "asymmetric", "domain"])
def test_recommend_ranks_as_the_strategy_of_selection(t2v, zoo, folder, name):
    answer = json.loads(
        t2v("recommend", "mine", "--zoo", "zoo", "--splits", 2, "--json", "--strategy", name).out
    )
    probe = load_probe("synthetic", device="cpu")
    task = Task.from_folder(folder / "mine", size=probe.image_size)
    entries = Zoo(zoo).entries
    meta = MetaTask(
        tasks=[task2vec(task, probe)],
        experts=[entry.embedding for entry in entries],
        errors=np.zeros((1, len(entries))),
        task_domains=[domain2vec(task, probe, "second")],
        expert_domains=[entry.domain() for entry in entries],
    )
    strategy = {"domain": NearestDomain()}.get(name) or Nearest(name)
    ranking = strategy.select(meta.query(0))
    assert [e["name"] for e in answer["experts"]] == [entries[m].name for m in ranking]
    assert answer["strategy"] == name and answer["halves"] == 4
    assert (answer["threshold"] is None) == (name == "domain")


def test_recommend_by_the_zoos_common_trivial_embedding(t2v, zoo):
    ask = ("recommend", "mine", "--zoo", "zoo", "--splits", 0, "--json", "--trivial", "common")
    first = json.loads(t2v(*ask).out)
    assert first["strategy"] == "asymmetric, common t₀"
    assert t2v("zoo", "freeze", "zoo").out.endswith("is the mean over 2 experts\n")
    again = json.loads(t2v(*ask).out)
    assert again["experts"][0]["distance"] != first["experts"][0]["distance"]


def test_model2vec_learns_from_the_errors_that_the_zoo_keeps(t2v, zoo, folder, monkeypatch):
    monkeypatch.setenv("T2V_CACHE", str(folder / "cache"))
    ask = ("recommend", "mine", "--zoo", "zoo", "--splits", 0, "--device", "cpu")
    ask += ("--strategy", "model2vec")
    missing = t2v(*ask)
    assert missing.code == 2 and "`t2v zoo errors zoo IMAGES IMAGES...`" in missing.err
    assert missing.err.count("\n") == 1
    # two tasks that are no expert's own, and one that is
    for name in ("early", "late"):
        shutil.copytree(folder / "cars", folder / name)
    measure = ("zoo", "errors", "zoo", "early", "late", "pets", "--jobs", 1, "--device", "cpu")
    assert t2v(*measure).out == "zoo: the errors of 2 experts on 3 tasks\n"
    answer = json.loads(t2v(*ask, "--json", "--report", "learnt.html").out)
    assert answer["strategy"] == "model2vec"
    assert "have moved each expert" in (folder / "learnt.html").read_text()
    # the oracle: the module's own parts, put together by hand
    errors = Zoo(zoo).errors
    entries = Zoo(zoo).entries
    assert errors.experts == ("motors", "pets") and np.isnan(errors.errors[2, 1])
    probe = load_probe("synthetic", device="cpu")
    early = hold_out(Task.from_folder(folder / "early", size=probe.image_size))
    known = task2vec(early, probe)
    np.testing.assert_array_equal(errors.tasks[0].fisher, known.fisher)
    matrix = error_matrix([early], [entry.expert("cpu") for entry in entries], jobs=1)
    np.testing.assert_array_equal(errors.errors[0], matrix.errors[0])
    model = Model2Vec.fit(
        errors.tasks, errors.errors, [e.embedding for e in entries], np.isfinite(errors.errors)
    )
    mine = task2vec(Task.from_folder(folder / "mine", size=probe.image_size), probe)
    ranking = [entries[m].name for m in model.rank(mine)]
    assert [e["name"] for e in answer["experts"]] == ranking
    distances = [e["distance"] for e in answer["experts"]]
    assert distances == pytest.approx(sorted(model.distance(mine)), rel=1e-9)
    # an expert that was added later has no errors yet
    shutil.copytree(zoo / "motors", zoo / "newcomer")
    assert "newcomer: no errors are known, so only the training task counts" in t2v(*ask).out
    shutil.rmtree(zoo / "newcomer")
    (zoo / "errors.safetensors").unlink()


@pytest.mark.parametrize("command", [(), ("embed",), ("zoo",), ("zoo", "add"), ("recommend",)])
def test_help_is_short_and_long(t2v, command):
    short, long = t2v(*command, "-h"), t2v(*command, "--help")
    assert short.code == 0 and "Usage" in short.out and short.out == long.out
    assert "picture" not in short.out


def test_version(t2v):
    assert t2v("--version").out == f"t2v {__version__}\n"


EMBED = ("--probe", "synthetic")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("embed", "nowhere", *EMBED), "nowhere"),
        (("embed", "pets/one", *EMBED), "one"),
        (("embed", "pets", "--probe", "resnet19"), "unknown probe 'resnet19'"),
        (("embed", "pets", *EMBED, "-o", "no/where.safetensors"), "no/where"),
        (("embed", "pets", *EMBED, "--estimator", "best"), "estimator"),
        (("embed", "pets", *EMBED, "--device", "gpu"), "device 'gpu'"),
        (("distances", "pets.safetensors"), "at least two"),
        (("distances", "pets.safetensors", "cars.safetensors", "--plot", "map.jpgg"), "map.jpgg"),
        (("distances", "pets.safetensors", "cars.safetensors", "--plot", "no/map.png"), "no/map"),
        (("distances", "pets.safetensors", "pets/one/0.png"), "0.png"),
        (("distances", "pets.safetensors", "cars.safetensors", "--kind", "x"), "kind"),
        (("zoo", "list", "nowhere"), "no such zoo"),
        (("zoo", "list", "pets"), "not an expert of a zoo"),
        (("zoo", "add", "zoo", "pets"), "has an expert 'pets'"),
        (("zoo", "add", "zoo", "mine", "--image-size", 32), "image_size 48, not 32"),
        (("zoo", "add", "zoo", "nowhere"), "nowhere"),
        (("zoo", "add", "new", "pets/one", *EMBED), "one"),
        (("zoo", "add", "no/zoo", "pets", *EMBED), "no/zoo"),
        (("zoo", "add", "zoo", "mine", "--name", "a/b"), "'a/b'"),
        (("zoo", "add", "zoo", "pets.safetensors", "--name", "x"), "--task"),
        (("zoo", "add", "new", "pets.safetensors", "--task", "mine", *EMBED), "pets.safetensors"),
        (("zoo", "remove", "zoo", "lions"), "no expert 'lions'"),
        (("zoo", "errors", "zoo", "mine"), "two or more"),
        (("zoo", "make", "new", "--experts", "dragons"), "no expert 'dragons'"),
        (("zoo", "errors", "nowhere", "mine", "cars"), "no such zoo"),
        (("zoo", "errors", "zoo", "mine", "mine", "--device", "cpu"), "a name of its own"),
        (("recommend", "mine", "--zoo", "nowhere"), "no such zoo"),
        (("recommend", "nowhere", "--zoo", "zoo"), "nowhere"),
        (("recommend", "mine", "--zoo", "zoo", "--strategy", "task-blind"), "need an error matrix"),
        (("recommend", "mine", "--zoo", "empty"), "the zoo is empty"),
        (("recommend", "mine", "--zoo", "zoo", "--trivial", "probe"), "--trivial probe"),
        (("recommend", "mine", "--zoo", "zoo", "--report", "no/r.html"), "no/r.html"),
        (("recommend", "mine", "--zoo", "zoo", "--splits", 1), "two or more, or 0"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(t2v, zoo, folder, arguments, message):
    (folder / "empty").mkdir(exist_ok=True)
    before = sorted(folder.rglob("*"))
    done = t2v(*arguments)
    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert done.err.count("\n") == 1, done.err
    assert sorted(folder.rglob("*")) == before
