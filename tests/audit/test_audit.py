"""An audit finds what was planted, and says what it did not look at."""

import io
import json

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance
from sklearn.datasets import load_digits
from typer.testing import CliRunner

from t2v._numerics.components import connected
from t2v.audit.audit import audit
from t2v.audit.mislabelled import doubtful_labels
from t2v.audit.near_copies import near_copies
from t2v.cli.app import app
from t2v.probe import load_probe
from tests.reading.kinds import folder_of, save


@pytest.fixture(scope="module")
def probe():
    return load_probe("synthetic", device="cpu")


def smooth(seed):
    """An image with structure at all scales, as a photograph has."""
    rng = np.random.default_rng(seed)
    weights = {3: 0.4, 6: 0.3, 12: 0.2, 48: 0.1}  # of squares of so many pixels a side
    layers = [Image.fromarray(rng.integers(0, 256, (n, n, 3)).astype(np.uint8)) for n in weights]
    pairs = zip(layers, weights.values(), strict=True)
    large = [weight * np.asarray(layer.resize((48, 48))) for layer, weight in pairs]
    return Image.fromarray(sum(large).astype(np.uint8))


def tensor(image):
    return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)


def changed(image, how):
    if how == "jpeg":
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=60)
        return Image.open(buffer)
    if how == "smaller":
        return image.resize((36, 36)).resize((48, 48))
    return ImageEnhance.Brightness(image).enhance(0.8)


@pytest.mark.parametrize("how", ["jpeg", "smaller", "darker"])
def test_near_copies_are_found_and_nothing_else(how):
    images = [smooth(seed) for seed in range(60)]
    copies = {3: 60, 17: 61, 40: 62}
    images += [changed(images[i], how) for i in copies]
    found = near_copies([tensor(image) for image in images])
    assert {(i, j) for i, j, _ in found} == set(copies.items())
    assert all(0.94 < r <= 1.000001 for *_, r in found)


def test_flat_images_are_no_copies_of_each_other():
    flat = [torch.full((3, 48, 48), level, dtype=torch.uint8) for level in (0, 90, 255)]
    assert near_copies(flat) == []


def test_connected():
    assert connected(5, [(0, 3), (3, 4)]).tolist() == [0, 1, 2, 0, 0]
    assert connected(2, []).tolist() == [0, 1]


def test_wrong_labels_come_first_where_classes_are_easy():
    digits = load_digits()
    x = torch.tensor(digits.data[:600], dtype=torch.float32)
    y = torch.tensor(digits.target[:600])
    wrong = np.random.default_rng(0).choice(600, 12, replace=False)
    planted = y.clone()
    planted[wrong] = (planted[wrong] + 3) % 10
    doubts = doubtful_labels(x, planted, np.arange(600), 0, "digits")
    first = doubts.suspects[:12]
    # by chance a quarter of one; some digits are harder than a wrong label is wrong
    assert len(set(first) & set(wrong.tolist())) >= 7
    right = [i for i in first if i in wrong]
    assert (doubts.suggested[right] == y.numpy()[right]).mean() > 0.8
    again = doubtful_labels(x, planted, np.arange(600), 0, "digits")
    assert doubts.suspects == again.suspects


def test_copies_with_another_label_do_not_vouch_for_each_other():
    """Were a copy in the other fold, the head would have seen the image with its wrong label."""
    rng = np.random.default_rng(0)
    y = torch.arange(60) % 2
    x = torch.tensor(rng.normal(size=(60, 5)) + 3 * y.numpy()[:, None], dtype=torch.float32)
    x, y = torch.cat([x, x[:1].repeat(20, 1)]), torch.cat([y, torch.ones(20, dtype=torch.long)])
    groups = np.concatenate([np.arange(60), np.zeros(20, int)])
    doubts = doubtful_labels(x, y, groups, 0, "copies")
    assert set(range(60, 80)) <= set(doubts.suspects)


@pytest.fixture
def folder(tmp_path):
    """Two classes of images, with a copy, a contradiction, a near copy and broken files."""
    for k, name in enumerate(("cat", "dog")):
        (tmp_path / "F" / name).mkdir(parents=True)
        for i in range(12):
            smooth(100 * k + i).save(tmp_path / "F" / name / f"{i}.png")
    smooth(3).save(tmp_path / "F" / "cat" / "same.png")
    smooth(4).save(tmp_path / "F" / "dog" / "other.png")
    changed(smooth(105), "jpeg").save(tmp_path / "F" / "dog" / "near.jpg", quality=95)
    for i in range(3):
        (tmp_path / "F" / "cat" / f"bad{i}.png").write_bytes(b"no")
    (tmp_path / "F" / "cat" / "x.heic").write_bytes(b"no")
    (tmp_path / "F" / "owl").mkdir()
    return tmp_path / "F"


def test_audit_finds_what_was_planted(folder, probe):
    told = []
    found = audit(folder, probe, tell=told.append).as_dict()
    assert len(told) == 1 and told[0] > 0
    assert found["classes"] == {"cat": 13, "dog": 14}
    assert found["passed_over"] == {".heic": 1} and len(found["unusable"]) == 3
    assert any("'owl' is left out" in hint for hint in found["hints"])
    copies = {tuple(c["paths"]): (c["exact"], c["across_classes"]) for c in found["copies"]}
    assert copies == {
        ("cat/3.png", "cat/same.png"): (True, False),
        ("cat/4.png", "dog/other.png"): (True, True),
        ("dog/5.png", "dog/near.jpg"): (False, False),
    }
    assert 0 <= found["head_error"] <= 1


def test_audit_as_text_json_and_report(folder, tmp_path):
    ask = ["audit", str(folder), "--probe", "synthetic", "--device", "cpu"]
    report = tmp_path / "r.html"
    done = CliRunner().invoke(app, [*ask, "--report", str(report)])
    assert done.exit_code == 0, done.output
    for words in ("27 images in 2 classes", "1 .heic", "3 images cannot be used",
                  "cat/4.png = dog/other.png", "1 images with several labels"):  # fmt: skip
        assert words in done.output
    page = report.read_text(encoding="utf-8")
    assert "data:image/png;base64," in page and "cat/4.png = dog/other.png" in page
    answer = CliRunner().invoke(app, [*ask, "--json"])
    assert json.loads(answer.stdout)["images"] == 27


def test_copies_across_splits_are_found(tmp_path, probe):
    for split in ("train", "val"):
        folder_of(tmp_path / split, ("cat", "dog"), 6)
        for name in ("cat", "dog"):
            for i in range(6):
                seed = 10 * i + len(split) + 300 * (name == "dog")
                smooth(seed + 1000 * (split == "val")).save(tmp_path / split / name / f"{i}.png")
    smooth(7777).save(tmp_path / "train" / "cat" / "a.png")
    smooth(7777).save(tmp_path / "val" / "cat" / "b.png")
    found = audit(tmp_path, probe)
    assert found.as_dict()["splits"] == {"train": 13, "val": 13}
    across = [pair for pair in found.copies if found.across_splits(pair)]
    paths = [{found.found.short(i) for i in pair.images} for pair in across]
    assert {"train/cat/a.png", "val/cat/b.png"} in paths


def test_a_class_of_one_image_leaves_the_labels_alone_but_not_the_rest(tmp_path, probe):
    folder_of(tmp_path, ("cat", "dog"), 5)
    save(tmp_path / "owl" / "0.png")
    found = audit(tmp_path, probe)
    assert found.doubts is None and "one group" in found.no_doubts
    assert found.sizes == {"cat": 5, "dog": 5, "owl": 1}


def test_names_in_the_report_are_text(tmp_path):
    folder_of(tmp_path / "F", ("<img src=x onerror=1>", "[bold]x"), 4)
    report = tmp_path / "r.html"
    ask = ["audit", str(tmp_path / "F"), "--probe", "synthetic", "--device", "cpu"]
    done = CliRunner().invoke(app, [*ask, "--report", str(report)])
    assert done.exit_code == 0 and "[bold]x 4" in done.output
    assert "<img src=x onerror" not in report.read_text(encoding="utf-8")
