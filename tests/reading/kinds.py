"""Folders of small images, of which single files are made as other people's files are."""

import struct
import zlib

import numpy as np
from PIL import Image


def noise(seed, shape=(24, 24, 3), high=256):
    return np.random.default_rng(seed).integers(0, high, shape).astype(np.uint8)


def save(path, pixels=None, **options):
    """An image file; noise of its own by default."""
    path.parent.mkdir(parents=True, exist_ok=True)
    seed = zlib.crc32(str(path.name).encode() + path.parent.name.encode())
    Image.fromarray(noise(seed) if pixels is None else pixels).save(path, **options)
    return path


def folder_of(root, classes=("cat", "dog"), count=10, ending=".png"):
    """A folder with some images of noise in each class."""
    for name in classes:
        for i in range(count):
            save(root / name / f"{i}{ending}")
    return root


def png_with(path, kind, data, pixels=None):
    """A PNG with another chunk before its pixels."""
    save(path, pixels)
    raw = path.read_bytes()
    chunk = struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    path.write_bytes(raw[:33] + chunk + raw[33:])
    return path


def jpeg_with(path, segment, pixels=None):
    """A JPEG with a segment APP1 of these bytes."""
    save(path, pixels)
    raw = path.read_bytes()
    marked = b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment
    path.write_bytes(raw[:2] + marked + raw[2:])
    return path
