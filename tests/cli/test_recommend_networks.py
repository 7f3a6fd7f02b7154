"""`t2v recommend` without a zoo, `t2v demo` and `t2v diversity`, as a user meets them."""

import json
from functools import partial
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import models

from t2v.candidates import diversity, kept
from t2v.cli import app as cli
from t2v.cli import demo
from t2v.libraries import load_library
from tests.candidates.some import folder_of_images

SMALL = ("--image-size", 32, "--device", "cpu")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Two folders of images and one of weights; nothing else is on this machine."""
    root = tmp_path_factory.mktemp("networks")
    folder_of_images(root / "mine", count=14)
    noise = np.random.default_rng(0)
    for k in range(2):
        (root / "noise" / f"c{k}").mkdir(parents=True)
        for i in range(20):
            pixels = noise.integers(0, 255, (32, 32, 3), np.uint8)
            Image.fromarray(pixels).save(root / "noise" / f"c{k}" / f"{i}.png")
    (root / "weights").mkdir()
    torch.manual_seed(0)
    state = models.get_model("shufflenet_v2_x0_5", weights=None).state_dict()
    torch.save(state, root / "weights" / "shufflenet_v2_x0_5.pth")
    return root


@pytest.fixture
def t2v(place, monkeypatch, capsys):
    monkeypatch.chdir(place)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("T2V_CACHE", str(place / "cache"))
    monkeypatch.delenv("T2V_WEIGHTS", raising=False)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(place / "hub"))

    def no_internet(*_, **__):
        raise OSError("<urlopen error [Errno -2] Name or service not known>")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", no_internet)
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", no_internet)

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            cli.main([str(a) for a in arguments])
        return ended.value.code or 0, *capsys.readouterr()

    return run


TWO = ("--candidates", "squeezenet1_1,shufflenet_v2_x0_5", "--weights", "weights", *SMALL)


def test_a_fresh_machine_without_internet_gets_an_answer(t2v):
    code, out, _ = t2v("recommend", "mine", *SMALL)
    assert code == 0
    told = " ".join(out.split())
    assert "mobilenet_v3_small, mobilenet_v2, efficientnet_b0" in told
    assert "left out, because their weights are neither here nor can be downloaded" in told
    assert "--weights FOLDER takes mobilenet_v3_small.safetensors" in told
    assert "squeezenet1_1 is the only network that was compared" in told
    assert "(HOG)" in told and "(one class)" in told


def test_table_json_and_report_agree(t2v, place):
    code, out, _ = t2v("recommend", "mine", *TWO, "--report", "r.html")
    answer = json.loads(t2v("recommend", "mine", *TWO, "--json")[1])
    assert code == 0
    names = [row["name"] for row in answer["networks"]]
    assert set(names) == {"squeezenet1_1", "shufflenet_v2_x0_5"}
    errors = [row["error"] for row in answer["networks"]]
    assert errors == sorted(errors) and answer["take"] in answer["may_be_best"]
    report = (place / "r.html").read_text()
    for row in answer["networks"]:
        assert f"{row['error']:.1%}" in out and f"{row['error']:.1%}" in report
        assert row["weights_sha256"] in report and row["low"] <= row["error"] <= row["high"]
    assert " ".join(answer["verdict"].split()) in " ".join(out.split())
    for value in (answer["date"], answer["images_sha256"], answer["versions"]["torch"], "seed 0"):
        assert value in report
    with_head = {row["name"]: row["leep"] is not None for row in answer["networks"]}
    assert with_head == {"shufflenet_v2_x0_5": True, "squeezenet1_1": False}
    assert len(answer["similar_tasks"]) == 5

    class Tags(HTMLParser):
        loads: list = []

        def handle_starttag(self, tag, attrs):
            self.loads += [value for key, value in attrs if key in ("src", "href")]

    tags = Tags()
    tags.feed(report)
    assert tags.loads == [] and "url(" not in report and report.count("<circle") == 3


def test_the_second_run_sends_nothing_through_a_network(t2v, monkeypatch):
    first = json.loads(t2v("recommend", "mine", *TWO, "--json")[1])

    def compute(*_):
        raise AssertionError("an image was computed twice")

    monkeypatch.setattr(kept._Store, "add", compute)
    again = json.loads(t2v("recommend", "mine", *TWO, "--json")[1])
    assert again == first


def test_no_answer_is_exit_code_3(t2v):
    code, out, _ = t2v("recommend", "noise", *TWO)
    assert code == 3 and "No answer: on these 40 images no network does better" in out
    code, out, _ = t2v("recommend", "noise", *TWO, "--json")
    answer = json.loads(out)
    assert code == 3 and answer["take"] is None and answer["may_be_best"] == []


def test_a_draw_is_even_and_said(t2v):
    ask = ("recommend", "mine", *TWO, "--max-images", 12)
    assert "mine: 12 of 42 images, drawn evenly over 3 classes" in t2v(*ask)[1]
    assert json.loads(t2v(*ask, "--json")[1])["images"] == 12


def test_fine_tuning_is_told_beside_the_frozen_network(t2v, monkeypatch):
    from t2v.candidates import fine_tuned
    from t2v.experts.training import Schedule

    schedule = Schedule(steps=2, batch_size=6, lr=1e-6)
    monkeypatch.setattr(fine_tuned, "default_schedule", lambda probe: schedule)
    monkeypatch.setattr(fine_tuned, "BY_PROBE", {"imagenet": schedule})
    _, out, _ = t2v("recommend", "mine", *TWO, "--finetune-top", 1)
    assert "fine-tuning takes about" in out and "fine-tuned on three quarters" in out
    answer = json.loads(t2v("recommend", "mine", *TWO, "--finetune-top", 1, "--json")[1])
    [tuned] = answer["fine_tuned"]
    assert tuned["name"] == answer["networks"][0]["name"] and tuned["images"] == 11


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nowhere",), "nowhere"),
        (("mine", "--candidates", "resnet19"), "unknown network 'resnet19'"),
        (("mine", "--candidates", ","), "no name given"),
        (("mine", "--candidates", "resnet50"), "weights neither here nor to be downloaded"),
        (("mine", "--candidates", "timm:nothing"), "timm"),
        (("mine", "--weights", "nowhere"), "no such folder of weights"),
        (("mine", "--licence", "gpl"), "none has a licence with gpl"),
        (("mine", "--max-parameters", "few"), "--max-parameters few"),
        (("mine", "--max-parameters", "1k"), "at most 1,000 parameters"),
        (("mine", "--report", "no/r.html"), "no/r.html"),
        (("mine", "--max-images", "4"), "two images of each are needed"),
        (("mine", "--strategy", "domain"), "--strategy goes with --zoo"),
        (("mine", "--splits", "2"), "--splits goes with --zoo"),
        (("mine", "--zoo", "open", "--licence", "mit"), "--licence is for published networks"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(t2v, place, arguments, message):
    before = sorted(p for p in place.iterdir() if p.name not in ("cache", "hub"))
    code, out, err = t2v("recommend", *arguments)
    assert (code, out) == (2, "")
    lines = [line for line in err.splitlines() if not line.startswith("Downloading")]
    assert message in err and len(lines) == 1, err
    assert sorted(p for p in place.iterdir() if p.name not in ("cache", "hub")) == before


def test_a_class_with_one_image_is_named(t2v, place):
    folder_of_images(place / "few", classes=2, count=1)
    code, _, err = t2v("recommend", "few", *SMALL)
    assert code == 2 and "class 'c0' has one usable image" in err


def test_the_demo_needs_nothing_and_falls_to_chance(t2v, monkeypatch):
    library = load_library("open")
    monkeypatch.setattr(demo, "load_library", lambda name: library)
    monkeypatch.setattr(demo, "SHUFFLES", 6)
    answer = json.loads(t2v("demo", "--json", "--device", "cpu")[1])
    assert answer["high"] < answer["hog"] < answer["chance"] == 0.8
    assert answer["answer"] == "squeezenet1_1"
    shuffled = answer["shuffled"]
    # a guess on 240 images has a standard deviation of 2.6%, a mean of six about half of that
    assert abs(shuffled["mean_error"] - 0.8) < 0.05
    assert shuffled["least_error"] > answer["high"] and shuffled["times_without_answer"] >= 4
    code, out, _ = t2v("demo", "--device", "cpu")
    assert code == 0 and "No answer" in out and f"{answer['error']:.1%}" in out


def test_diversity_is_said_and_printed(t2v, place, monkeypatch):
    here = partial(diversity.embed_tasks, jobs=1)  # starting processes takes longer
    monkeypatch.setattr(diversity, "embed_tasks", lambda *a, jobs, **options: here(*a, **options))
    folder_of_images(place / "four", classes=4, count=8)
    ask = ("diversity", "four", "--probe", "synthetic", "--device", "cpu", "--rounds", 2)
    answer = json.loads(t2v(*ask, "--json")[1])
    assert answer["classes"] == 2 and answer["batches"] == 2 and answer["per_class"] == 4
    assert answer["diversity"]["value"] == pytest.approx(answer["between"] - answer["floor"])
    assert f"diversity {answer['diversity']['value']:.3f}" in t2v(*ask)[1]
    code, _, err = t2v("diversity", "noise", "--probe", "synthetic")
    assert code == 2 and "four are needed" in err
