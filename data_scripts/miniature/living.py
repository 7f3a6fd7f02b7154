"""Miniatures of iNaturalist 2018 and CUB-200-2011."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from data_scripts.miniature.drawing import SIDE, creature, save
from t2v.libraries.photographs.plans import facts

ORDERS = {
    "Passeriformes": ("Animalia", "Chordata", "Aves", 4),
    "Charadriiformes": ("Animalia", "Chordata", "Aves", 3),
    "Pelecaniformes": ("Animalia", "Chordata", "Aves", 2),
    "Accipitriformes": ("Animalia", "Chordata", "Aves", 2),
    "Lepidoptera": ("Animalia", "Arthropoda", "Insecta", 4),
    "Coleoptera": ("Animalia", "Arthropoda", "Insecta", 3),
    "Odonata": ("Animalia", "Arthropoda", "Insecta", 2),
    "Squamata": ("Animalia", "Chordata", "Reptilia", 3),
    "Testudines": ("Animalia", "Chordata", "Reptilia", 2),
    "Carnivora": ("Animalia", "Chordata", "Mammalia", 2),
    "Rodentia": ("Animalia", "Chordata", "Mammalia", 2),
    "Proboscidea": ("Animalia", "Chordata", "Mammalia", 1),
    "Asterales": ("Plantae", "Tracheophyta", "Magnoliopsida", 3),
    "Rosales": ("Plantae", "Tracheophyta", "Magnoliopsida", 2),
}
"""Kingdom, phylum, class and number of species of each order."""

BIRDS = (
    *("Black footed Albatross", "Laysan Albatross", "Sooty Albatross", "Northern Fulmar"),
    *("Crested Auklet", "Least Auklet", "California Gull", "Brown Pelican", "Pelagic Cormorant"),
    *("Kentucky Warbler", "Hooded Warbler", "Yellow breasted Chat", "Baird Sparrow"),
    *("Fox Sparrow", "Dark eyed Junco", "House Sparrow", "Tree Sparrow", "Scarlet Tanager"),
    *("Summer Tanager", "Least Flycatcher", "Sayornis", "Pacific Loon"),
)
"""Classes of CUB that have images; the others are listed and unused."""

BIRD_TASKS = {
    "Procellariiformes": 3,
    "Charadriiformes": 3,
    "Pelecaniformes": 2,
    "Parulidae": 3,
    "Emberizidae": 3,
    "Passeridae": 2,
    "Thraupidae": 2,
    "Tyrannidae": 2,
}
"""Tasks that follow from these classes, and their numbers of classes."""


def write_inaturalist(folder: Path, train: int, val: int) -> dict[str, int]:
    """Write `folder` in the layout of iNaturalist 2018; returns the counts to be found.

    One species has no images, one image no annotation, and one file is missing; one image is grey,
    one CMYK. Names are hidden in the lists, as they were in the competition.

    Args:
        folder: the folder to be.
        train: training images of a species; larger orders have more.
        val: validation images of a species.
    """
    categories: list[dict[str, Any]] = []
    for order, (kingdom, phylum, of_class, count) in ORDERS.items():
        for i in range(count):
            genus = f"{order[:5]}{'abcd'[i // 2]}"
            lineage = dict(kingdom=kingdom, phylum=phylum, order=order, family=f"{genus}idae")
            entry = {"id": len(categories), "name": f"{genus} {'minor major'.split()[i % 2]}"}
            categories.append(
                entry | lineage | {"class": of_class, "genus": genus, "supercategory": of_class}
            )
    unused = categories[-1] | {"id": len(categories), "name": "Rosa absens"}
    lists: dict[str, dict[str, list[Any]]] = {
        part: {"images": [], "annotations": []} for part in ("train", "val")
    }
    number = 0
    for entry in categories:
        extra = 4 if ORDERS[entry["order"]][3] > 2 else 0
        for part, count in (("train", train + extra), ("val", val)):
            for _ in range(count):
                number += 1
                place = f"{entry['supercategory']}/{entry['id']}"
                path = f"train_val2018/{place}/{number:032x}.jpg"
                image = dict(id=number, width=SIDE, height=SIDE, file_name=path)
                lists[part]["images"].append(image | {"license": 0, "rights_holder": "drawn"})
                annotation = dict(id=number, image_id=number, category_id=entry["id"])
                lists[part]["annotations"].append(annotation)
                if number != 5:  # the file that is missing
                    drawing = creature(entry["name"], entry["order"], number)
                    save(drawing, folder / path, {7: "L", 9: "CMYK"}.get(number, "RGB"))
    lost = dict(id=number + 1, width=SIDE, height=SIDE, file_name="train_val2018/Aves/0/lost.jpg")
    lists["train"]["images"].insert(3, lost)
    hidden = [{"id": e["id"], "name": str(e["id"]), "supercategory": "?"} for e in categories]
    for part, content in lists.items():
        content["annotations"].reverse()  # nothing says that both are in the same order
        whole = {"info": {"year": 2018}, **content, "categories": hidden, "licenses": []}
        (folder / f"{part}2018.json").write_text(json.dumps(whole), encoding="utf-8")
    text = json.dumps([*categories, unused])
    (folder / "categories.json").write_text(text, encoding="utf-8")
    several = {order: spec[3] for order, spec in ORDERS.items() if spec[3] > 1}
    return {
        "species": len(categories),
        "training images": len(lists["train"]["annotations"]),
        "validation images": len(lists["val"]["annotations"]),
        "orders": len(several),
        **{f"species of {order}": count for order, count in several.items()},
    }


def write_cub(folder: Path, train: int, test: int) -> dict[str, int]:
    """Write `folder` in the layout of CUB-200-2011; returns the counts to be found.

    All 200 classes are listed, most without images; one image is grey.

    Args:
        folder: the folder to be.
        train: training images of a class.
        test: held-out images of a class.
    """
    root = folder / "CUB_200_2011"
    rows = {row["label"]: row for row in facts("cub")}
    texts: dict[str, list[str]] = {
        name: [] for name in ("images", "image_class_labels", "train_test_split", "classes")
    }
    number = 0
    for label, row in rows.items():
        texts["classes"].append(f"{int(label[:3])} {label}")
        bird = label[4:].replace("_", " ")
        for i in range(train + test if bird in BIRDS else 0):
            number += 1
            file = f"{label}/{bird.replace(' ', '_')}_{i:04d}_{number}.jpg"
            texts["images"].append(f"{number} {file}")
            texts["image_class_labels"].append(f"{number} {int(label[:3])}")
            texts["train_test_split"].append(f"{number} {int(i % (train + test) < train)}")
            drawing = creature(label, row["family"], number)
            save(drawing, root / "images" / file, "L" if number == 4 else "RGB")
    for name, lines in texts.items():
        (root / f"{name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return {
        "classes": len(rows),
        "images": number,
        "training images": len(BIRDS) * train,
        "tasks": len(BIRD_TASKS),
        **{f"test images of {name}": count * test for name, count in BIRD_TASKS.items()},
    }
