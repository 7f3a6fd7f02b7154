"""The paper's own data sets: what can be fetched, and what its reader must bring by hand.

A data set becomes `DIR/NAME/` in its publisher's layout, whole or not at all, and is then read by
its loader, which names the file that is missing and each count that differs.
"""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.progress import Progress

from data_scripts.photographs import unpack
from data_scripts.photographs.download import bring
from data_scripts.photographs.sources import SOURCES
from t2v._run.files import adding_folder
from t2v.errors import FileError
from t2v.libraries.paper.counts import differences


@dataclass(frozen=True)
class File:
    """A file that anybody may download; an archive is unpacked, a table is taken as it is.

    Attributes:
        url: its address.
        hash: its checksum as `md5:...`; None where none is published.
    """

    url: str
    hash: str | None = None

    @property
    def name(self) -> str:
        """Its name on disk."""
        return self.url.rsplit("/", 1)[-1]


@dataclass(frozen=True)
class Official:
    """A data set of the paper.

    Attributes:
        title: name and size.
        page: address of the publisher's page.
        licence: terms, in words.
        files: what can be downloaded.
        by_hand: what cannot: what to put where, one line each; empty where nothing is needed.
    """

    title: str
    page: str
    licence: str
    files: tuple[File, ...] = ()
    by_hand: tuple[str, ...] = ()


_INAT = "https://ml-inat-competition-datasets.s3.amazonaws.com/2018"
_CUB = SOURCES["cub"]
_IMAT = "https://github.com/visipedia/imat_fashion_comp"
_IMAT_COMMIT = "0d194e0b88b9a14e1f4de85e54365ba2c5e3a296"

OFFICIAL: Mapping[str, Official] = {
    "inaturalist": Official(
        title="iNaturalist 2018 competition, training and validation images, 120 GB packed",
        page="https://github.com/visipedia/inat_comp/tree/master/2018",
        licence="non-commercial research and education only; images may not be passed on; the "
        "terms of iNaturalist apply",
        files=(
            File(f"{_INAT}/train2018.json.tar.gz", "md5:bfa29d89d629cbf04d826a720c0a68b0"),
            File(f"{_INAT}/val2018.json.tar.gz", "md5:f2ed8bfe3e9901cdefceb4e53cd3775d"),
            File(f"{_INAT}/categories.json.tar.gz"),
            File(f"{_INAT}/train_val2018.tar.gz", "md5:b1c6952ce38f31868cc50ea72d066cc3"),
        ),
    ),
    "cub200": Official(
        title=f"{_CUB.title}, whole, with the official split, 1.1 GB packed",
        page=_CUB.page,
        licence=_CUB.licence,
        files=tuple(File(archive.url, archive.hash) for archive in _CUB.archives),
    ),
    "imaterialist": Official(
        title="iMaterialist (Fashion) 2018, about a million images",
        page="https://www.kaggle.com/c/imaterialist-challenge-fashion-2018",
        licence="the competition's rules, to be accepted on Kaggle; images belong to the shop",
        files=(
            File(
                f"{_IMAT.replace('github.com', 'raw.githubusercontent.com')}/{_IMAT_COMMIT}/"
                "iMat_fashion_2018_label_map_228.csv"
            ),
        ),
        by_hand=(
            "accept the rules on Kaggle, then put train.json and validation.json into {folder}",
            "the publisher gives addresses, not images: save each `url` of these lists as "
            "{folder}/train/<imageId>.jpg and {folder}/validation/<imageId>.jpg",
        ),
    ),
    "deepfashion": Official(
        title="DeepFashion, category and attribute prediction benchmark, 289,222 images",
        page="https://mmlab.ie.cuhk.edu.hk/projects/DeepFashion/AttributePrediction.html",
        licence="non-commercial research only; an agreement is to be signed, then a password comes",
        by_hand=(
            "sign the agreement, unpack Img/img.zip to {folder}/Img/img/",
            "put the lists into {folder}/Anno_coarse/ and {folder}/Eval/",
        ),
    ),
}


def fetch_official(
    name: str, to: Path, progress: Progress | None = None, **options: float
) -> tuple[Path, list[str]]:
    """Fetch what may be fetched of a data set, and check what is there.

    Args:
        name: one of `OFFICIAL`.
        to: folder of all data sets.
        progress: running progress display, if any.
        options: options of `download.Resuming`.

    Returns:
        The folder, and one line for each count that differs from the paper's or the publisher's.

    Raises:
        FileError: if network, checksum, archive or disk fails, with nothing half-written left; or
            naming the file that is still to be brought by hand, and how.
    """
    official, folder = OFFICIAL[name], Path(to) / name
    if not folder.is_dir() or not any(folder.iterdir()):
        _download(name, Path(to), progress, **options)
    try:
        published = importlib.import_module(f"t2v.libraries.paper.{name}").read(folder)
    except FileError as error:
        if not official.by_hand:
            raise
        steps = "; ".join(line.format(folder=folder) for line in official.by_hand)
        missing = str(error).partition("; python -m")[0]
        raise FileError(f"{missing}. By hand, from {official.page}: {steps}") from None
    return folder, differences(name, published.counts, folder)


def _download(name: str, to: Path, progress: Progress | None, **options: float) -> None:
    to.mkdir(parents=True, exist_ok=True)
    downloads = to / ".download" / name
    paths = [
        bring(file.url, downloads, file.name, file.hash, progress, **options)
        for file in OFFICIAL[name].files
    ]
    with adding_folder(to / name, replace=True) as draft:
        for path in paths:
            if path.suffix == ".csv":
                shutil.copy(path, draft / path.name)
                continue
            for member, stream in unpack.members(path):
                target = draft / member
                target.parent.mkdir(parents=True, exist_ok=True)
                unpack.copy(stream, target, path)
    shutil.rmtree(downloads, ignore_errors=True)
