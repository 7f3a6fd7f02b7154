"""Images and labels of a torch dataset, checked item by item."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from t2v.errors import InputError
from t2v.reading.decode import to_rgb
from t2v.reading.found import check_no_splits

OVERSHOOT = 0.1
"""How far floats may lie outside [0, 1]: a bicubic filter goes beyond the values that it reads."""


@dataclass(frozen=True)
class DatasetImages:
    """The images of a map-style dataset as uint8 `[3, h, w]`, taken when they are asked for."""

    dataset: Any
    name: str

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, i: int) -> Tensor:
        from torchvision.transforms.v2 import functional as tv

        item = self.dataset[i][0]
        where = f"task {self.name!r}: image {i}"
        if isinstance(item, Image.Image):
            if item.mode.startswith("I") or item.mode == "F":
                raise InputError(f"{where} has mode {item.mode}: convert it to 8 bits")
            item = to_rgb(item)
        try:
            image = tv.to_image(item).as_subclass(Tensor)
        except (TypeError, ValueError) as error:
            raise InputError(f"task {self.name!r}: item {i} is no image ({error})") from None
        if image.dim() != 3 or image.shape[0] not in (1, 3) or not image.numel():
            raise InputError(f"{where} must be [3, h, w]; got {list(image.shape)}")
        return _eight_bits(image, where).expand(3, -1, -1)


def _eight_bits(image: Tensor, where: str) -> Tensor:
    if image.dtype == torch.uint8:
        return image
    if image.dtype == torch.bool:
        return image.to(torch.uint8) * 255
    if not image.is_floating_point():
        raise InputError(f"{where} has type {image.dtype}; give uint8, or floats in [0, 1]")
    low, high = float(image.min()), float(image.max())
    if not (-OVERSHOOT <= low and high <= 1 + OVERSHOOT):  # NaN fails as well
        raise InputError(
            f"{where} has values from {low:.3g} to {high:.3g}; floats must lie in [0, 1]: leave "
            "out Normalize, and divide what goes to 255"
        )
    return torch.floor(image.clamp(0, 1) * (256 - 1e-3)).to(torch.uint8)


def dataset_labels(dataset: Any, name: str) -> tuple[Tensor, list[str]]:
    """The labels of a map-style dataset, `[N]` in 0..K-1, and the K names of the classes.

    Args:
        dataset: has `__len__` and `__getitem__`; labels are read from `targets` if it has them,
            and names from `classes`. Without `classes`, labels may be any integers or strings.
        name: name of the task in errors.

    Raises:
        InputError: if it is no such dataset, labels are neither integers nor strings, or classes
            are training and test images.
    """
    targets = _targets(dataset, name)
    try:
        labels = np.asarray([t.item() if isinstance(t, Tensor) else t for t in targets])
    except (ValueError, TypeError, RuntimeError) as error:
        raise InputError(f"task {name!r}: labels must be integers ({error})") from None
    if not len(labels):
        raise InputError(f"task {name!r}: the dataset is empty")
    if labels.ndim != 1 or labels.dtype.kind not in "iuUS":
        raise InputError(
            f"task {name!r}: labels must be integers or strings [N]; got {labels.dtype} "
            f"{list(labels.shape)}"
        )
    classes = [str(c) for c in getattr(dataset, "classes", None) or ()]
    if labels.dtype.kind in "US" or not classes:
        values, labels = np.unique(labels, return_inverse=True)
        classes = [str(value) for value in values]
    check_no_splits(Path(name), classes, {})
    return torch.as_tensor(labels.astype(np.int64)), classes


def _targets(dataset: Any, name: str) -> Sequence[Any]:
    rule = f"task {name!r}: from_dataset takes a map-style dataset of (image, label)"
    inner = getattr(dataset, "dataset", None)
    if inner is not None and hasattr(dataset, "batch_size"):
        raise InputError(f"{rule}; of a DataLoader give the `dataset`")
    if isinstance(dataset, dict | str | bytes | Path) or not (
        hasattr(dataset, "__len__") and hasattr(dataset, "__getitem__")
    ):
        hint = "; make a list of it" if hasattr(dataset, "__iter__") else ""
        raise InputError(f"{rule}; got {type(dataset).__name__}{hint}")
    targets = getattr(dataset, "targets", None)
    if targets is not None:
        return targets
    try:
        return [dataset[i][1] for i in range(len(dataset))]
    except (TypeError, IndexError, KeyError) as error:
        raise InputError(f"{rule}; an item is none ({error})") from None
