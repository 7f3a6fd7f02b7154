"""Decoding: what is converted, what is skipped, and what the errors say."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms

from t2v.errors import InputError
from t2v.images import load_images
from t2v.reading import decode


def flat(path, colour, mode="RGB", size=(20, 30), **options):
    Image.new(mode, size, colour).save(path, **options)
    return path


@pytest.fixture
def good(tmp_path):
    """200 good images, so that one or two bad ones are within one in a hundred."""
    paths = [flat(tmp_path / f"{i:03d}.png", (i, 10, 20)) for i in range(200)]
    return paths


def test_order_size_and_values(good):
    loaded, skipped = load_images(good, 8)
    assert loaded.dtype == torch.uint8 and loaded.shape == (200, 3, 8, 8) and not skipped
    # a flat image stays flat whatever the filter, so the order can be read from the red channel
    assert loaded[:, 0, 0, 0].tolist() == list(range(200))
    assert (loaded[:, 1] == 10).all() and (loaded[:, 2] == 20).all()


@pytest.mark.parametrize("shape", [(60, 180), (180, 60), (48, 48)])
def test_resize_and_crop_as_torchvision(tmp_path, shape):
    noise = np.random.default_rng(0).integers(0, 255, (*shape, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    loaded, _ = load_images([tmp_path / "noise.png"], 12)
    reference = transforms.CenterCrop(12)(transforms.Resize(12)(Image.fromarray(noise)))
    expected = torch.from_numpy(np.array(reference)).permute(2, 0, 1)
    # the crop is cut before or after the filter: rounding differs by a level
    assert (loaded[0].int() - expected.int()).abs().max() <= 1


def test_size_none_keeps(tmp_path):
    a = flat(tmp_path / "a.png", "red", size=(5, 7))
    b = flat(tmp_path / "b.png", "red", size=(6, 7))
    same, _ = load_images([a, a], None)
    assert same.shape == (2, 3, 7, 5)
    different, _ = load_images([a, b], None)
    assert [tuple(image.shape) for image in different] == [(3, 7, 5), (3, 7, 6)]


def test_colour_modes_are_converted(tmp_path):
    wide = np.full((20, 30), 0x8000, np.uint16)
    Image.fromarray(wide).save(tmp_path / "grey16.png")
    palette = Image.new("P", (9, 9), 1)
    palette.putpalette([0, 0, 0, 255, 0, 0])
    palette.save(tmp_path / "palette.png")
    paths = [
        flat(tmp_path / "grey.png", 77, "L"),
        tmp_path / "grey16.png",
        flat(tmp_path / "cmyk.tif", (0, 255, 255, 0), "CMYK"),
        tmp_path / "palette.png",
        flat(tmp_path / "alpha.png", (255, 0, 0, 0), "RGBA"),
        flat(tmp_path / "bilevel.png", 1, "1"),
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded, skipped = load_images(paths, 4)
    # 0x8000 of 0xffff is 127.5 of 255; no ink but magenta and yellow is red; nothing is white paper
    expected = [(77,) * 3, (127,) * 3, (255, 0, 0), (255, 0, 0), (255,) * 3, (255,) * 3]
    assert not skipped
    assert [tuple(p) for p in loaded[:, :, 2, 2].tolist()] == expected


def test_cmyk_jpeg_is_converted(tmp_path):
    path = flat(tmp_path / "cmyk.jpg", (0, 255, 255, 0), "CMYK", quality=95)
    loaded, skipped = load_images([path], 4)
    red, green, blue = loaded[0, :, 2, 2].tolist()
    # JPEG rounds by a few levels
    assert not skipped and red > 245 and green < 10 and blue < 10


def test_camera_orientation_is_applied(tmp_path):
    left_red = np.zeros((20, 20, 3), np.uint8)
    left_red[:, :10, 0] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: rotate by 90 degrees clockwise to show
    Image.fromarray(left_red).save(tmp_path / "turned.png", exif=exif)
    loaded, _ = load_images([tmp_path / "turned.png"], None)
    assert (loaded[0, 0, :10] == 255).all() and (loaded[0, 0, 10:] == 0).all()


def bad_file(kind, folder, monkeypatch):
    path = folder / f"{kind}.png"
    if kind == "empty":
        path.touch()
    elif kind == "text":
        path.write_text("no picture, this")
    elif kind == "truncated":
        noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
        Image.fromarray(noise).save(path)
        path.write_bytes(path.read_bytes()[:-800])
    elif kind == "huge":
        monkeypatch.setattr(decode, "PIXEL_LIMIT", 999)
        flat(path, "red", size=(10, 100))
    elif kind == "bomb":
        # Pillow itself refuses this header
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 800)
        flat(path, "red", size=(100, 100))
    return path


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("empty", "empty file"),
        ("text", "not an image"),
        ("truncated", "corrupt"),
        ("huge", "10 x 100 pixels"),
        ("bomb", "pixels"),
        ("missing", "no such file"),
    ],
)
def test_bad_images_are_named_and_skipped(good, tmp_path, monkeypatch, kind, reason):
    bad = bad_file(kind, tmp_path, monkeypatch)
    paths = [*good[:120], bad, *good[120:]]
    with pytest.warns(UserWarning, match=rf"1 of 201 images .*{kind}\.png: .*{reason}"):
        loaded, skipped = load_images(paths, 4)
    assert [s.index for s in skipped] == [120] and reason in skipped[0].reason
    # the rest is whole and in order
    assert loaded[:, 0, 0, 0].tolist() == list(range(200))


def test_more_than_one_in_a_hundred_stops(good, tmp_path):
    bad = [tmp_path / f"gone{i}.jpg" for i in range(3)]
    with pytest.raises(InputError, match=r"3 of 203 images .*gone0.*gone1.*gone2.*more than 1%"):
        load_images(good + bad, 4)
    with pytest.warns(UserWarning, match="2 of 202"):
        load_images(good + bad[:2], 4)


def test_bad_arguments(good):
    with pytest.raises(InputError, match="no image"):
        load_images([], 4)
    with pytest.raises(InputError, match="size"):
        load_images(good, 0)
