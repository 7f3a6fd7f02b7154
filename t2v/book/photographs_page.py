"""The page of credits: what the package knows about its photographs, as text, strips and tables.

Everything is read from manifests and tables of the open zoo, so that the page says what is true of
the files that are there: a data set that is taken out is not on the page.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from t2v._run.files import replacing
from t2v.book import tables
from t2v.libraries.open_zoo import shards
from t2v.libraries.open_zoo.plans import make_plan
from t2v.libraries.open_zoo.splits import TASKS
from t2v.libraries.photographs.plans import Row

STRIP = 10
"""Images in the strip of a data set."""

_GAP = 4  # pixels between two of them

_MEANINGS = {
    "photographs": {
        "data set": "name of the data set",
        "images": "number of images in the package",
        "labels": "number of labels of the publisher",
        "tasks": "number of tasks of the library that are about these images",
        "licence": "name and address of the licence",
        "licence stated by": "who says that this is the licence",
    },
    "photographers": {
        "photographer": "name on Flickr",
        "photographs": "a link to each of the photographs",
    },
    "assigned_by_hand": {
        "task": "name of the task",
        "classes": "its classes",
        "note": "what else should be known",
    },
}

_SECTION = """({source})=
## {title}

```{{figure}} ../results/photographs_{source}.jpg
:alt: A row of {count} small images from the data set {source}: {labels}.

{caption}
```

Licence
: {licence}

Credit
: {credit}

Publisher
: {page}

Where the licence is stated
: {stated}

Where we took the files from
: The repository `{repository}` on GitHub, commit `{commit}`, `{path}`.

What was changed
: {changed}

What is in the package
: {images:,} images of {classes} labels. {tasks} of our tasks are about them.
"""


def write(folder: Path, *, shards_folder: Path = shards.FOLDER, **note: Any) -> list[str]:
    """Write text, strips of images, and tables for the page of credits.

    Args:
        folder: folder for `photographs.md`, `photographs_<data set>.jpg`, and the tables
            `photographs`, `photographers` and `assigned_by_hand`.
        shards_folder: folder of the shards.
        **note: entries of the tables' sidecars.

    Returns:
        Names of the data sets.
    """
    rows, sources = shards.read_index(shards_folder), shards.present(shards_folder)
    tasks = _tasks(rows)
    sections, known = [], []
    for source in sources:
        about = shards.manifest(source, shards_folder)
        of_source = [row for row in rows if row["source"] == source]
        strip = chosen(of_source)
        _write_strip(strip, folder / f"photographs_{source}.jpg", shards_folder)
        count = sum(source in entry["source"].split() for entry in tasks)
        sections.append(_section(source, about, strip, count))
        known.append(
            {
                "data set": f"[{source}](#{source})",
                "images": about["images"],
                "labels": about["classes"],
                "tasks": count,
                "licence": "[{}]({})".format(*about["licence"].split(", ", 1)),
                "licence stated by": stated_by(about),
            }
        )
    with replacing(folder / "photographs.md") as draft:
        draft.write_text("\n".join(sections), encoding="utf-8")
    by_hand = [
        {"task": entry["name"], "classes": "; ".join(plan.members), "note": entry["note"]}
        for entry in tasks
        if entry["by_hand"] == "yes" and (plan := make_plan(entry, rows))
    ]
    written = {"photographs": known, "photographers": photographers(rows)}
    for name, frame in (written | {"assigned_by_hand": by_hand}).items():
        meanings = _MEANINGS[name]
        tables.write(
            pd.DataFrame(frame, columns=list(meanings)),
            folder / f"{name}.csv",
            columns={column: {"unit": "", "meaning": says} for column, says in meanings.items()},
            limits="What the publishers state; a licence is no proof that nobody else has rights.",
            **note,
        )
    return sources


def chosen(rows: Sequence[Row], count: int = STRIP) -> list[Row]:
    """Rows of the index for a strip: as many labels as possible, spread evenly over all of them."""
    of_label: dict[str, list[Row]] = {}
    for row in rows:
        of_label.setdefault(row["label"], []).append(row)
    names = list(of_label)
    names = [names[k * len(names) // count] for k in range(count)]
    return [of_label[name][names[:k].count(name)] for k, name in enumerate(names)]


def photographers(rows: Sequence[Row]) -> list[tuple[str, str]]:
    """Photographers who are known by name, and a link to each of their photographs."""
    pages: dict[str, list[str]] = {}
    for row in rows:
        if row.get("photographer"):
            pages.setdefault(row["photographer"], []).append(row["url"])
    return [
        (as_text(name), " ".join(f"[{k}]({page})" for k, page in enumerate(of_name, 1)))
        for name, of_name in sorted(pages.items(), key=lambda item: item[0].casefold())
    ]


def stated_by(about: dict[str, Any]) -> str:
    """Who states the licence of a data set, from its manifest."""
    second_hand = about.get("licence_status") == "secondhand"
    return "others, second-hand" if second_hand else "its publisher"


def as_text(name: str) -> str:
    """A name with all marks of Markdown escaped."""
    return re.sub(r"([\\`*_{}\[\]()<>#+!|~$@:&^-])", r"\\\1", name)


def _tasks(rows: Sequence[Row]) -> list[Row]:
    """Rows of the table of tasks whose images are all there."""
    of_tasks = [row for row in rows if row["part"] == TASKS]
    return [entry for entry in shards.table("tasks") if make_plan(entry, of_tasks)]


def _section(source: str, about: dict[str, Any], strip: Sequence[Row], tasks: int) -> str:
    labels = ", ".join(dict.fromkeys(row["name"] for row in strip))
    caption = f"From left to right: {as_text(labels)}."
    if "photographer" in strip[0]:
        of_each = (f"[{as_text(row['photographer'])}]({row['url']})" for row in strip)
        caption += f" Photographs by {', '.join(of_each)}."
    return _SECTION.format(
        source=source,
        title=as_text(about["title"]),
        count=len(strip),
        labels=labels,
        caption=caption,
        licence=_links(about["licence"]),
        credit=_links(about["credit"]),
        page=_links(about["publisher_page"]),
        stated=_links(about["licence_stated_at"]),
        repository=about["source_repo"],
        commit=about["source_commit"][:10],
        path=about["source_path"],
        changed=_links(about["what_was_changed"]),
        images=about["images"],
        classes=about["classes"],
        tasks=tasks,
    )


def _links(text: str) -> str:
    """Text with all addresses as links, all else escaped."""
    parts = re.split(r"(https?://[^\s,)\"]+)", text)
    return "".join(f"<{part}>" if k % 2 else as_text(part) for k, part in enumerate(parts))


def _write_strip(strip: Sequence[Row], path: Path, folder: Path) -> None:
    images = shards.read_images(strip, folder).numpy().transpose(0, 2, 3, 1)
    gap = np.full((images.shape[1], _GAP, 3), 255, np.uint8)
    parts = [part for image in images for part in (image, gap)][:-1]
    with replacing(path) as draft:
        Image.fromarray(np.concatenate(parts, axis=1)).save(draft, "JPEG", quality=90)
