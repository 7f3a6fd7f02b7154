"""Kinds of input that other tools read wrongly, lose in silence, or stop at; a test for each.

| kind | test |
|---|---|
| folders of systems, hidden ones, thumbnails | `test_files_of_systems_are_counted` |
| links, loops, links to nothing | `test_links_are_followed_once` |
| endings that Pillow reads, and those that it does not | `test_endings` |
| images beside the classes | `test_loose_images_are_told` |
| training and test folders taken for classes | `test_splits_are_no_classes` |
| classes that differ in capitals, sub-folders that are the classes | `test_doubtful_classes` |
| fewer bits than there is room for | `test_grey_keeps_its_range`, `test_black_images_are_told` |
| floats and integers without a known range | `test_values_without_a_known_range_are_refused` |
| bands and pages that are left out | `test_what_is_left_out_of_a_tiff_is_told` |
| datasets with other values, labels, or none | `test_datasets` |
| one image with several labels, copied classes | `test_contradictory_labels` |
| metadata that cannot be read | `test_broken_metadata_costs_no_image` |
| images of more pixels than are decoded | `test_large_jpeg_is_decoded_at_a_reduced_scale` |
| one bad image among few, empty classes | `test_one_bad_image_among_few` |
| separators, endings and spaces in tables | `test_tables_as_programs_write_them` |
| near-copies on both sides of a split | `test_groups_stay_together` |

Names, places to write and exit codes: `tests/cli/test_names_and_places.py`. Broken files without
number: `test_fuzz.py`.
"""

import os
import re
import struct
import warnings

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image, PngImagePlugin

from t2v.errors import FileError, InputError
from t2v.images import load_images
from t2v.reading import decode
from t2v.reading.scan import scan_folder
from t2v.reading.table import is_table, read_csv
from t2v.task import Task
from tests.reading.kinds import folder_of, jpeg_with, noise, png_with, save


@pytest.fixture
def folder(tmp_path):
    return folder_of(tmp_path / "F")


def told(path, **options):
    """The task of a folder, and what is said after reading."""
    lines = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        read = Task.from_csv if is_table(path) else Task.from_folder
        task = read(path, size=16, tell=lines.append, **options)
    return task, " | ".join([*lines, *(str(w.message) for w in caught)])


# ---- lost or gained


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("cat/.ipynb_checkpoints/a.png", "1 in .ipynb_checkpoints"),
        ("cat/.thumbnails/large/a.png", "1 in .thumbnails"),
        ("cat/@eaDir/0.png/SYNOPHOTO_THUMB_M.png", "1 in @eaDir"),
        ("cat/Thumbs/0.png", "1 in Thumbs"),
        ("cat/._0.png", "1 hidden"),
        ("cat/deep/$RECYCLE.BIN/0.png", "1 in $RECYCLE.BIN"),
        ("__MACOSX/cat/0.png", "1 in __MACOSX"),
        ("lost+found/0.png", "1 in lost+found"),
        (".git/0.png", "1 in .git"),
    ],
)
def test_files_of_systems_are_counted(folder, place, reason):
    save(folder / place)
    task, line = told(folder)
    assert len(task) == 20 and task.classes == ("cat", "dog")
    assert f"F: 20 images in 2 classes (cat 10, dog 10); passed over: {reason}" in line


def test_links_are_followed_once(folder, tmp_path):
    more = folder_of(tmp_path / "more", ("a", "b"), 3) / "a"
    (folder / "cat" / "part2").symlink_to(more)
    (folder / "cat" / "again").symlink_to(more)
    (folder / "cat" / "here").symlink_to(".")
    (folder / "cat" / "up").symlink_to("../..")
    (folder / "cat" / "gone.png").symlink_to("nowhere.png")
    (folder / "cat" / "self.png").symlink_to("self.png")
    (folder / "emu").symlink_to(more.parent / "b")
    task, line = told(folder)
    assert torch.bincount(task.labels).tolist() == [13, 10, 3]
    assert "3 linked folders that were read already" in line and "2 broken links" in line


@pytest.mark.parametrize("ending", [".jfif", ".jpe", ".JPEG", ".pgm", ".jp2", ".tga", ".avif"])
def test_endings(tmp_path, ending):
    if ending == ".avif":
        features = pytest.importorskip("PIL.features")
        if not features.check("avif"):
            pytest.skip("Pillow without AVIF")
    for name in ("cat", "dog"):
        for i in range(5):
            grey = noise(i + ord(name[0]), (24, 24)) if ending == ".pgm" else None
            save(tmp_path / name / f"{i}{name}{ending}", grey)
    (tmp_path / "dog" / "x.heic").write_bytes(b"\0\0\0\x18ftypheic")
    (tmp_path / "dog" / "y.eps").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n")
    task, line = told(tmp_path)
    assert len(task) == 10 and "1 .heic, 1 .eps" in line
    with pytest.warns(UserWarning, match="passed over: 1 .heic, 1 .eps"):
        Task.from_folder(tmp_path, size=16)


def test_what_is_no_image_by_content_says_what_it_is(folder):
    (folder / "cat" / "0.png").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0")
    assert "HEIC, which Pillow does not read" in told(folder)[1]


def test_loose_images_are_told(folder):
    save(folder / "a.png")
    _, line = told(folder)
    assert "1 loose beside the folders of the classes" in line
    with pytest.raises(InputError, match="found none, and 10 images loose"):
        scan_folder(folder / "cat")


@pytest.mark.parametrize(
    "splits", [("train", "val"), ("Train", "TEST"), ("training", "validation", "test"),
               ("train_set", "test_set"), ("fold1", "fold2"), ("train", "val", "docs")],
)  # fmt: skip
def test_splits_are_no_classes(tmp_path, splits):
    for i, split in enumerate(splits):
        names = ("cat", "dog") if split != "docs" else ("notes",)
        folder_of(tmp_path / "F" / split, [f"{n}" for n in names], 2 + i)
    with pytest.raises(InputError, match=f"are splits, not classes; take .*{splits[0]}"):
        scan_folder(tmp_path / "F")
    assert scan_folder(tmp_path / "F" / splits[0]).classes == ["cat", "dog"]


def test_splits_are_no_classes_of_tables_and_datasets_either(folder):
    (folder / "t.csv").write_text("path,label\ncat/0.png,train\ncat/1.png,test\n")
    with pytest.raises(InputError, match="take the column of the classes as label"):
        read_csv(folder / "t.csv")

    class Wrong(list):
        classes = ("train", "val")
        targets = (0, 1)

    with pytest.raises(InputError, match="are splits"):
        Task.from_dataset(Wrong([0, 1]))


def test_a_class_may_have_the_name_of_a_split(tmp_path):
    assert scan_folder(folder_of(tmp_path, ("train", "bus"))).classes == ["bus", "train"]


def test_doubtful_classes(tmp_path):
    folder_of(tmp_path / "A", ("Cat", "cat"))
    assert "differ in capitals only" in told(tmp_path / "A")[1]
    for season in ("summer", "winter"):
        folder_of(tmp_path / "B" / season, (f"cat{season[0]}", "dog"))
        os.rename(tmp_path / "B" / season / f"cat{season[0]}", tmp_path / "B" / season / "cat")
    assert "every class has the same sub-folders (cat, dog)" in told(tmp_path / "B")[1]
    with pytest.raises(InputError, match=r"found only 'inner'; is .*inner meant\?"):
        folder_of(tmp_path / "C" / "inner")
        scan_folder(tmp_path / "C")


# ---- values


@pytest.mark.parametrize(("bits", "says"), [(8, 8), (10, 10), (12, 12), (16, None)])
@pytest.mark.parametrize("ending", [".png", ".tif"])
def test_grey_keeps_its_range(tmp_path, bits, says, ending):
    ramp = np.linspace(0, 2**bits - 1, 24 * 24).reshape(24, 24).astype(np.uint16)
    path = save(tmp_path / f"a{ending}", ramp)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        images, _ = load_images([path], None)
    expected = np.linspace(0, 255, 24 * 24).reshape(24, 24)
    # the file holds whole numbers of its bits, the result whole numbers of 8: a level each
    assert np.abs(images[0, 0].numpy() - expected).max() <= 2
    assert [f"read as {says} bits" in str(w.message) for w in caught] == ([True] if says else [])


def test_black_images_are_told(tmp_path):
    """12 of 16 bits in colour, of which Pillow keeps the upper eight, and masks of labels."""
    wide = np.random.default_rng(0).integers(0, 4096, (24, 24, 3)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "wide.tif", wide, photometric="rgb")
    masks = [save(tmp_path / "mask.png", noise(0, (24, 24), 21))]
    for paths in ([tmp_path / "wide.tif"], masks):
        with pytest.warns(UserWarning, match="all values .* are (15|20) or less, of 255"):
            load_images(paths, None)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.full((9, 9), -5, np.int16), "integers from -5"),
        (np.full((9, 9), 70000, np.int32), "integers from 70000"),
        (np.full((9, 9), 2.5, np.float32), "floats from 2.5"),
        (np.full((9, 9), np.nan, np.float32), "floats from nan"),
    ],
)
def test_values_without_a_known_range_are_refused(tmp_path, values, message):
    tifffile.imwrite(tmp_path / "a.tif", values)
    with pytest.raises(InputError, match=message) as error:
        load_images([tmp_path / "a.tif"], None)
    assert "corrupt" not in str(error.value) and "convert" in str(error.value)


def test_floats_between_0_and_1_are_read(tmp_path):
    ramp = np.linspace(0, 1, 256).reshape(16, 16).astype(np.float32)
    tifffile.imwrite(tmp_path / "a.tif", ramp)
    images, _ = load_images([tmp_path / "a.tif"], None)
    assert images[0, 0].flatten().tolist() == list(range(256))


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((24, 24, 4), {"extrasamples": [0]}, "bands after the third are left out"),
        ((24, 24, 5), {}, "bands after the third|does not read"),
        ((24, 24, 4), {"extrasamples": [2]}, "taken as transparency"),
        ((5, 24, 24), {"photometric": "minisblack"}, "only the first of several pages"),
        ((24, 24, 13), {}, "a TIFF whose bands"),
    ],
)
def test_what_is_left_out_of_a_tiff_is_told(tmp_path, shape, options, message):
    options = {"photometric": "rgb"} | options
    tifffile.imwrite(tmp_path / "a.tif", noise(0, shape), **options)
    good = save(tmp_path / "b.png")
    with pytest.warns(UserWarning, match=message):
        load_images([tmp_path / "a.tif", good], 16)


# ---- datasets


def pairs(images, labels=(0, 1)):
    return list(zip(images, labels, strict=True))


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (torch.randn(3, 8, 8), r"leave out Normalize"),
        (torch.rand(3, 8, 8) * 255, r"divide what goes to 255"),
        (torch.full((3, 8, 8), float("nan")), "must lie in"),
        (torch.ones(3, 8, 8, dtype=torch.int64), "give uint8"),
        (torch.ones(4, 8, 8, dtype=torch.uint8), r"must be \[3, h, w\]"),
        (torch.ones(3, 0, 8, dtype=torch.uint8), r"must be \[3, h, w\]"),
        ("cat.png", "is no image"),
        (Image.fromarray(np.ones((8, 8), np.uint16)), "convert it to 8 bits"),
    ],
)
def test_datasets_with_values_of_no_known_range(image, message):
    task = Task.from_dataset(pairs([image, image]))
    with pytest.raises(InputError, match=f"image 0|item 0.*{message}|{message}"):
        task.images[0]


def test_datasets_of_pillow_images_are_converted_as_files_are():
    palette = Image.fromarray(np.zeros((4, 4), np.uint8)).convert("P")
    palette.putpalette([200, 100, 50] * 256)
    clear = Image.new("RGBA", (4, 4), (9, 9, 9, 0))
    cyan = Image.new("CMYK", (4, 4), (255, 0, 0, 0))
    task = Task.from_dataset(pairs([palette, clear, cyan], (0, 1, 1)))
    colours = [tuple(task.images[i][:, 0, 0].tolist()) for i in range(3)]
    assert colours == [(200, 100, 50), (255, 255, 255), (0, 255, 255)]


def test_what_a_bicubic_filter_adds_is_cut_off():
    image = torch.tensor([-0.05, 0.5, 1.05]).view(3, 1, 1).expand(3, 8, 8)
    task = Task.from_dataset(pairs([image, image]))
    assert task.images[0][:, 0, 0].tolist() == [0, 127, 255]


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["dog", "cat", "dog"], ("cat", "dog")),
        ([500, 10, 500], ("10", "500")),
        ([2, 1, 2], ("1", "2")),
        ([torch.tensor(1), torch.tensor(0), torch.tensor(1)], ("0", "1")),
    ],
)
def test_datasets_name_their_classes(labels, classes):
    image = torch.zeros(3, 4, 4, dtype=torch.uint8)
    task = Task.from_dataset(pairs([image] * 3, labels))
    assert task.classes == classes and task.labels.tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (iter([1]), "make a list of it"),
        ({"a": 1}, "got dict"),
        ("folder", "got str"),
        ([], "is empty"),
        ([1, 2], "an item is none"),
        ([(0, 0.5), (0, 1.5)], "integers or strings"),
        ([(0, [1, 2]), (0, [3])], "labels must be integers"),
        (torch.utils.data.DataLoader([(0, 1)]), "of a DataLoader give the `dataset`"),
    ],
)
def test_datasets_that_are_none(dataset, message):
    with pytest.raises(InputError, match=message):
        Task.from_dataset(dataset)


# ---- labels


def test_contradictory_labels(folder):
    for i in (3, 4):
        (folder / "dog" / f"c{i}.png").write_bytes((folder / "cat" / f"{i}.png").read_bytes())
    _, line = told(folder)
    assert "2 images have several labels (cat/3.png = dog/c3.png; cat/4.png = dog/c4.png)" in line


@pytest.mark.parametrize("door", ["folder", "table"])
def test_copied_classes_are_refused(folder, door):
    for path in (folder / "dog").iterdir():
        path.write_bytes((folder / "cat" / path.name).read_bytes())
    source = folder
    if door == "table":
        source = folder / "t.csv"
        rows = [f"cat/{i}.png,{label}" for label in "ab" for i in range(3)]
        source.write_text("\n".join(["path,label", *rows]))
    with pytest.raises(InputError, match="classes '.*' and '.*' hold the same images"):
        told(source)


# ---- good files


def _broken(kind, path, pixels):
    exif_start = b"Exif\0\0"
    if kind == "double header":
        return jpeg_with(path, exif_start + exif_start + b"II*\0\x08\0\0\0\0\0", pixels)
    if kind == "beyond the end":
        return jpeg_with(path, exif_start + b"II*\0\xff\xff\0\0", pixels)
    if kind == "division by zero":
        entry = struct.pack("<HHHIIHHI", 1, 0x011A, 5, 1, 26, 0, 0, 0)[:18]
        rational = struct.pack("<II", 72, 0)
        return jpeg_with(path, exif_start + b"II*\0\x08\0\0\0" + entry + rational, pixels)
    if kind == "eXIf":
        return png_with(path, b"eXIf", b"no TIFF at all, this", pixels)
    if kind == "iCCP":
        return png_with(path, b"iCCP", b"x\0\0" + b"not deflated", pixels)
    if kind == "pHYs":
        return png_with(path, b"pHYs", b"\0", pixels)
    info = PngImagePlugin.PngInfo()
    text = "x" * 2_000_000
    if kind == "zTXt":
        info.add_text("prompt", text, zip=True)
    else:
        info.add_itxt("prompt", text, zip=True)
    return save(path, pixels, pnginfo=info)


@pytest.mark.parametrize("kind", ["double header", "beyond the end", "division by zero", "eXIf",
                                  "iCCP", "pHYs", "zTXt", "iTXt"])  # fmt: skip
def test_broken_metadata_costs_no_image(tmp_path, kind):
    ending = ".jpg" if kind in ("double header", "beyond the end", "division by zero") else ".png"
    whole = save(tmp_path / "whole" / f"a{ending}", noise(0))
    path = _broken(kind, tmp_path / f"a{ending}", noise(0))
    assert path.read_bytes() != whole.read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        images, skipped = load_images([path, whole], None)
    assert not skipped and torch.equal(images[0], images[1])


def test_large_jpeg_is_decoded_at_a_reduced_scale(tmp_path, monkeypatch):
    smooth = np.linspace(0, 255, 400).astype(np.uint8)
    pixels = np.repeat(np.repeat(smooth[None, :, None], 300, 0), 3, 2)
    path, png = save(tmp_path / "a.jpg", pixels), save(tmp_path / "a.png", pixels)
    whole, _ = load_images([path], 32)
    monkeypatch.setattr(decode, "PIXEL_LIMIT", 400 * 300 // 4)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # Pillow's own limit refuses it as well
    reduced, _ = load_images([path], 32)
    assert (whole.int() - reduced.int()).abs().max() <= 8  # JPEG, and another filter: some levels
    with pytest.raises(InputError, match="make it smaller"):
        load_images([png], 32)


def test_one_bad_image_among_few(folder):
    raw = (folder / "cat" / "3.png").read_bytes()
    (folder / "cat" / "3.png").write_bytes(raw[:100])
    task, line = told(folder)
    assert len(task) == 19 and re.search(r"1 of 20 images cannot be used .*cat.3\.png", line)
    assert "passed over: 1 that cannot be used" in line
    (folder / "dog" / "0.png").write_bytes(b"")
    with pytest.raises(InputError, match="--skip-bad"):
        told(folder)
    assert len(told(folder, skip_bad=True)[0]) == 18
    (folder / "owl").mkdir()
    with pytest.raises(InputError, match="owl: class without images"):
        told(folder)
    save(folder / "owl" / "0.png").write_bytes(b"nothing")
    with pytest.raises(InputError, match="--skip-bad"):
        told(folder)
    task, line = told(folder, skip_bad=True)
    assert task.classes == ("cat", "dog") and "class 'owl' is left out" in line


def test_the_only_image_of_a_class_is_bad(folder):
    save(folder / "owl" / "0.png").write_bytes(b"nothing")
    with pytest.raises(InputError, match="class 'owl' has no image that can be used"):
        told(folder)


def test_fewer_images_than_classes_are_refused_before_reading(folder):
    with pytest.raises(InputError, match="1 images are too few for 2 classes"):
        told(folder, max_images=1)


# ---- tables


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.csv", "path;label\n{};a\n{};b\n"),
        ("t.tsv", "path\tlabel\n{}\ta\n{}\tb\n"),
        ("T.CSV", "Path, Label\n{}, a\n{}, b\n"),
        ("t.csv", "\ufefflabel,path,x\r\na,{},\r\nb,{},\r\n"),
        ("t.csv", 'path,label\n"{}","a"\n"{}","b"\n'),
    ],
)
def test_tables_as_programs_write_them(folder, name, text):
    (folder / name).write_text(text.format("cat/0.png", "dog/0.png"), encoding="utf-8")
    task, _ = told(folder / name)
    assert task.classes == ("a", "b") and task.labels.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ("path,label\n".encode("utf-16"), "save it as CSV UTF-8"),
        (b"ImageId,LabelName\nx,y\n", "must name a column path and a column label"),
        (b"path,label\na\0b,x\n", "no such image|NUL"),
        (b"path,label\n" + b"a" * 5000 + b",x\n", "no such image"),
        (b"path,label\ncat,x\n", "no such image"),
        (b'path,label\n"' + b"a" * 200_000 + b'",x\n', "field larger"),
    ],
)
def test_tables_that_are_none(folder, raw, message):
    (folder / "t.csv").write_bytes(raw)
    with pytest.raises((InputError, FileError), match=message):
        told(folder / "t.csv")


def test_rows_that_repeat_are_told(folder):
    rows = "cat/0.png,a\ncat/0.png,a\ndog/0.png,b\n"
    (folder / "t.csv").write_text("path,label\n" + rows)
    assert "1 rows repeat another row" in told(folder / "t.csv")[1]


def test_missing_files_of_a_table_are_skipped_on_request(folder):
    (folder / "t.csv").write_text("path,label\ncat/0.png,a\nnone.png,a\ndog/0.png,b\n")
    with pytest.raises(FileError, match="line 3: no such image"):
        told(folder / "t.csv")
    assert len(told(folder / "t.csv", skip_bad=True)[0]) == 2


# ---- groups


def _scenes(root):
    for k, name in enumerate(("cat", "dog")):
        for scene in range(8):
            for frame in range(1 + scene % 3):
                save(root / name / f"s{scene + 8 * k}_{frame}.png")
    return root


def test_groups_stay_together(tmp_path):
    task, line = told(_scenes(tmp_path / "F"), groups=r"(s\d+)_")
    assert "16 groups" in line
    for seed in range(5):
        split = task.split(0.25, seed)
        first, second = task.halves(torch.Generator().manual_seed(seed))
        sides = [
            (split.train.groups, split.held_out.groups),
            (first.groups, second.groups),
            *((task.groups[a], task.groups[b]) for a, b in task.cross_validated(4, seed).splits),
        ]
        for one, other in sides:
            assert not set(one.tolist()) & set(other.tolist())
        for part in (split.train, split.held_out, first, second):
            assert set(part.labels.tolist()) == {0, 1}
        assert len(first) + len(second) == len(task)
        assert 0.35 < len(first) / len(task) < 0.65
    assert not torch.equal(
        task.halves(torch.Generator().manual_seed(0))[0].groups,
        task.halves(torch.Generator().manual_seed(1))[0].groups,
    )
    assert task.fingerprint != Task.from_folder(tmp_path / "F", size=16).fingerprint


def test_groups_by_a_column(folder):
    rows = [f"{c}/{i}.png,{c},{c[0]}{i // 5}" for c in ("cat", "dog") for i in range(10)]
    (folder / "t.csv").write_text("\n".join(["path,label,scene", *rows]))
    task, _ = told(folder / "t.csv", groups="scene")
    assert task.groups.unique().tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [("(", "not a regular expression"), ("zzz", "matches none"), (r"\.png", "all 20 images")],
)
def test_groups_that_are_none(folder, pattern, message):
    with pytest.raises(InputError, match=message):
        told(folder, groups=pattern)


def test_groups_on_both_sides_are_refused(folder):
    images, labels = torch.zeros(4, 3, 4, 4, dtype=torch.uint8), torch.tensor([0, 1, 0, 1])
    test = torch.tensor([False, False, True, True])
    with pytest.raises(InputError, match="one side of the split"):
        Task("t", images, labels, "ab", test=test, groups=torch.tensor([0, 1, 0, 2]))
    whole = Task("t", images, labels, "ab", groups=torch.tensor([0, 1, 0, 2]))
    with pytest.raises(InputError, match="are of one group"):
        whole.split(0.5)
