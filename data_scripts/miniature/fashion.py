"""Miniatures of iMaterialist (Fashion) 2018 and of DeepFashion's attribute benchmark."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np

from data_scripts.miniature.drawing import garment, save

VALUES = [
    (17, 2, "Black", "color"),
    (19, 2, "Blue", "color"),
    (79, 2, "Green", "color"),
    (148, 2, "Red", "color"),
    (66, 3, "Female", "gender"),
    (106, 3, "Male", "gender"),
    (105, 8, "Long Sleeved", "sleeve"),
    (164, 8, "Short Sleeves", "sleeve"),
    (171, 8, "Sleeveless", "sleeve"),
    (135, 6, "Polka Dot", "pattern"),
    (181, 6, "Stripes", "pattern"),
    (18, 1, "Blouses", "category"),
    (36, 1, "Casual Dresses", "category"),
    (92, 1, "Jeans", "category"),
    (185, 1, "Sweatpants", "category"),
    (174, 1, "Sneakers", "category"),
    (223, 1, "Winter Boots", "category"),
    (138, 9, "Printed", "style"),
    (20, 9, "Bodycon", "style"),
    (152, 1, "Robes", "category"),
]
"""Number, group's number, name and group of the values; no garment is a robe."""

HUES = {"Black": "0.8", "Blue": "0.6", "Green": "0.35", "Red": "0.0"}
FORMS = {
    "Blouses": "upper",
    "Casual Dresses": "full",
    "Jeans": "lower",
    "Sweatpants": "lower",
    "Sneakers": "shoes",
    "Winter Boots": "shoes",
}
SLEEVES = {"Long Sleeved": "long", "Short Sleeves": "short", "Sleeveless": "none"}
PATTERNS = {"Stripes": "stripes", "Polka Dot": "dots", "": "plain"}

ATTRIBUTES = [
    ("floral", 1),
    ("print", 1),
    ("stripe", 1),
    ("knit", 2),
    ("lace", 2),
    ("sleeve", 4),
    ("long sleeve", 4),
    ("abstract chevron print", 1),
]
"""Names, some of several words, and types; no garment has the last one."""

CATEGORIES = [
    *[("Blouse", 1), ("Tee", 1), ("Jacket", 1), ("Jeans", 2), ("Skirt", 2), ("Dress", 3)],
    *[("Romper", 3), ("Kaftan", 3)],
]
"""Names and types; no garment is a kaftan."""


def write_imaterialist(folder: Path, train: int, val: int) -> dict[str, int]:
    """Write `folder` in the layout of iMaterialist (Fashion) 2018; returns the counts to be found.

    Most images have several values; some have two colours. One file is missing, one image is grey,
    one CMYK, one has a number that the table of names lacks.

    Args:
        folder: the folder to be.
        train: number of training images.
        val: number of validation images.
    """
    numbers = {name: number for number, _, name, _ in VALUES}
    rng = np.random.default_rng(0)
    for part, count in (("train", train), ("validation", val)):
        images: list[dict[str, Any]] = []
        annotations: list[dict[str, Any]] = []
        for i in range(1, count + 1):
            colour = str(rng.choice(list(HUES)))
            category = str(rng.choice(list(FORMS)))
            sleeve, pattern = str(rng.choice(list(SLEEVES))), str(rng.choice(list(PATTERNS)))
            has = {colour, category, "Female" if rng.random() < 0.6 else "Male"}
            has |= {sleeve} if FORMS[category] in ("upper", "full") else set()
            has |= {pattern, "Printed"} if pattern else set()
            has |= {"Bodycon"} if category == "Casual Dresses" else set()
            has |= {"Black"} if i % 9 == 0 else set()
            labels = [str(numbers[name]) for name in sorted(has)] + (["999"] if i == 2 else [])
            images.append({"imageId": str(i), "url": [f"https://example.invalid/{part}/{i}"]})
            annotations.append({"labelId": labels, "imageId": str(i)})
            drawn = garment(
                {
                    "colour": HUES[colour],
                    "form": FORMS[category],
                    "sleeve": SLEEVES[sleeve],
                    "pattern": PATTERNS[pattern],
                },
                i,
            )
            if (part, i) != ("train", 3):  # the file that is missing
                save(drawn, folder / part / f"{i}.jpg", {5: "L", 6: "CMYK"}.get(i, "RGB"))
        whole = {"info": {"year": 2018}, "images": images, "annotations": annotations}
        (folder / f"{part}.json").write_text(json.dumps(whole), encoding="utf-8")
    names = folder / "iMat_fashion_2018_label_map_228.csv"
    with names.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("labelId", "taskId", "labelName", "taskName"))
        writer.writerows(VALUES)
    groups = {group for *_, group in VALUES}
    return {
        "values": len(VALUES),
        "groups": len(groups),
        "training images": train,
        "validation images": val,
    }


def write_deepfashion(folder: Path, train: int, val: int, test: int) -> dict[str, int]:
    """Write `folder` in the layout of DeepFashion's benchmark; returns the counts to be found.

    An attribute and a category have no images; unknown attributes are 0; one image is grey.

    Args:
        folder: the folder to be.
        train: number of training images.
        val: number of validation images, which no task uses.
        test: number of held-out images.
    """
    rng = np.random.default_rng(1)
    parts = rng.permutation(["train"] * train + ["val"] * val + ["test"] * test).tolist()
    names, has, of_category = [], [], []
    forms = {1: "upper", 2: "lower", 3: "full"}
    for i, _ in enumerate(parts):
        kind = int(rng.integers(len(CATEGORIES) - 1))
        sleeve = str(rng.choice(["long", "short", "none"]))
        pattern = str(rng.choice(["plain", "stripes", "dots"]))
        hue = rng.choice([0.05, 0.3, 0.55, 0.8])
        form = forms[CATEGORIES[kind][1]]
        traits = {
            "colour": str(hue),
            "form": form,
            "sleeve": sleeve,
            "pattern": pattern,
        }
        name = f"img/{CATEGORIES[kind][0]}_{hue:.2f}/img_{i:08d}.jpg"
        save(garment(traits, 10_000 + i), folder / "Img" / name, "L" if i == 2 else "RGB")
        sleeved = form in ("upper", "full") and sleeve != "none"
        attributes = [
            pattern == "dots",
            pattern != "plain",
            pattern == "stripes",
            hue > 0.5,
            kind % 2 == 0,
            sleeved,
            sleeved and sleeve == "long",
            False,
        ]
        names.append(name)
        of_category.append(kind + 1)
        has.append([1 if a else (0 if i % 10 == 0 else -1) for a in attributes])
    _write(folder / "Anno_coarse/list_attr_cloth.txt", "attribute_name  attribute_type", ATTRIBUTES)
    _write(folder / "Anno_coarse/list_category_cloth.txt", "category_name  category_type",
           CATEGORIES)  # fmt: skip
    rows = [
        (name, "  ".join(f"{v:2d}" for v in v_of)) for name, v_of in zip(names, has, strict=True)
    ]
    _write(folder / "Anno_coarse/list_attr_img.txt", "image_name  attribute_labels", rows)
    _write(folder / "Anno_coarse/list_category_img.txt", "image_name  category_label",
           zip(names, of_category, strict=True))  # fmt: skip
    _write(folder / "Eval/list_eval_partition.txt", "image_name  evaluation_status",
           zip(names, parts, strict=True))  # fmt: skip
    return {
        "images": len(parts),
        "attributes": len(ATTRIBUTES),
        "categories": len(CATEGORIES),
        "images of train": train,
        "images of val": val,
        "images of test": test,
    }


def _write(path: Path, header: str, rows: Any) -> None:
    """A list as the benchmark writes it: the number of rows, a header, padded columns."""
    rows = list(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [str(len(rows)), header, *(f"{name:<60}  {value}" for name, value in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
