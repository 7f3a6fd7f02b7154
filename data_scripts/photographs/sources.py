"""Publishers, licences, checksums and archive layouts of the sets of photographs.

The checksums are those that public loaders compare the archives with (torchvision for Caltech-101,
several loaders in agreement for the others); where none is published, the sha256 of the first
download is written beside the images.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True)
class Archive:
    """One archive of a publisher.

    Attributes:
        url: its address.
        file: its name on disk while it is unpacked.
        hash: its checksum as `md5:...` or `sha256:...`; None where none is published.
        images: pattern of the members that are images, with group `file`, and `label` unless a
            table gives it.
        table: pattern of the member that is a table of attributes, and the column with the name
            of an image without its ending.
        inner: pattern of an archive inside the archive that holds the images.
        labels: function from the publisher's label to ours, or to None to leave the image out;
            None: labels are the publisher's.
    """

    url: str
    file: str
    hash: str | None
    images: str
    table: tuple[str, str] | None = None
    inner: str | None = None
    labels: Callable[[str], str | None] | None = None


@dataclass(frozen=True)
class Source:
    """A set of photographs.

    Attributes:
        title: name and content.
        page: address of the publisher's page.
        licence: terms, in words.
        pictures_allowed: whose images a published page may show, with `credit`.
        credit: authors and publication.
        archives: the publisher's archives.
        mirror: stem of the files in a mirror folder: `<mirror>.tar`, `.manifest.json` and, with
            attributes, `.csv`.
        images: number of images in the publisher's archives; None where it varies.
        label_column: column of the table that is the label, where folders do not give it.
    """

    title: str
    page: str
    licence: str
    pictures_allowed: str
    credit: str
    archives: tuple[Archive, ...]
    mirror: str
    images: int | None = None
    label_column: str | None = None


_MONKEYS = dict(
    n0="Alouatta_palliata",
    n1="Erythrocebus_patas",
    n2="Cacajao_calvus",
    n3="Macaca_fuscata",
    n4="Cebuella_pygmaea",
    n5="Cebus_capucinus",
    n6="Mico_argentatus",
    n7="Saimiri_sciureus",
    n8="Aotus_nigriceps",
    n9="Trachypithecus_johnii",
)


@cache
def _living_labels() -> frozenset[str]:
    table = files("t2v.libraries.photographs") / "taxonomies" / "living_things.csv"
    return frozenset(row["label"] for row in csv.DictReader(table.open(encoding="utf-8")))


def _if_living(label: str) -> str | None:
    return label if label in _living_labels() else None


def _monkey(label: str) -> str | None:
    return f"monkey_{_MONKEYS[label]}"


def _if_sure(label: str) -> str | None:
    return None if label in ("Not sure", "Skip", "Other") else label


SOURCES: Mapping[str, Source] = {
    "cub": Source(
        title="Caltech-UCSD Birds-200-2011",
        page="https://www.vision.caltech.edu/datasets/cub_200_2011/",
        licence="non-commercial research and education only; each photograph belongs to its "
        "photographer",
        pictures_allowed="none",
        credit="C. Wah, S. Branson, P. Welinder, P. Perona, S. Belongie: The Caltech-UCSD "
        "Birds-200-2011 Dataset, CNS-TR-2011-001, California Institute of Technology, 2011",
        archives=(
            Archive(
                url="https://data.caltech.edu/records/65de6-vp158/files/CUB_200_2011.tgz",
                file="CUB_200_2011.tgz",
                hash="md5:97eceeb196236b17998738112f37df78",
                images=r"CUB_200_2011/images/(?P<label>\d{3}\.[^/]+)/(?P<file>[^/.][^/]*\.jpg)",
            ),
        ),
        mirror="cub100_96px",
        images=11_788,
    ),
    "tiny_imagenet": Source(
        title="Tiny ImageNet, 200 WordNet classes at 64 pixels",
        page="https://www.image-net.org/download.php",
        licence="ImageNet's terms of access: non-commercial research and education only; the "
        "photographs belong to their owners",
        pictures_allowed="none",
        credit="Stanford CS231n, from ImageNet: O. Russakovsky et al., ImageNet Large Scale Visual "
        "Recognition Challenge, IJCV 2015",
        archives=(
            Archive(
                url="http://cs231n.stanford.edu/tiny-imagenet-200.zip",
                file="tiny-imagenet-200.zip",
                hash="md5:90528d7ca1a48142e341f4ef8d21d0de",
                images=r"tiny-imagenet-200/train/(?P<label>n\d{8})/images/(?P<file>[^/]+\.JPEG)",
            ),
        ),
        mirror="tiny_imagenet_64px",
        images=100_000,
    ),
    "living_things": Source(
        title="Living things: 44 classes of Caltech-101 and 10 species of monkeys",
        page="https://data.caltech.edu/records/mzrjq-6wc02 and "
        "https://www.kaggle.com/datasets/slothkong/10-monkey-species",
        licence="Caltech-101: CC BY 4.0; 10 Monkey Species: marked CC0 by its publisher on Kaggle, "
        "gathered from the web",
        pictures_allowed="Caltech-101",
        credit="F.-F. Li, M. Andreeto, M. Ranzato, P. Perona: Caltech 101, CaltechDATA 2022, "
        "doi:10.22002/D1.20086, CC BY 4.0",
        archives=(
            Archive(
                url="https://data.caltech.edu/records/mzrjq-6wc02/files/caltech-101.zip",
                file="caltech-101.zip",
                hash="md5:3138e1922a9193bfa496528edbbc45d0",
                images=r"101_ObjectCategories/(?P<label>[^/]+)/(?P<file>image_\d+\.jpg)",
                inner=r"caltech-101/101_ObjectCategories\.tar\.gz",
                labels=_if_living,
            ),
            Archive(
                url="https://www.kaggle.com/api/v1/datasets/download/slothkong/10-monkey-species",
                file="10-monkey-species.zip",
                hash=None,
                images=r"training/training/(?P<label>n\d)/(?P<file>[^/]+\.jpg)",
                labels=_monkey,
            ),
        ),
        mirror="living_things_96px",
    ),
    "fashion": Source(
        title="Fashion product images, several attributes per image",
        page="https://www.kaggle.com/datasets/paramaggarwal/fashion-product-images-small",
        licence="marked MIT by its publisher on Kaggle; the photographs come from a shop's "
        "catalogue, so whose they are is not certain",
        pictures_allowed="none",
        credit="Param Aggarwal, Fashion Product Images, Kaggle",
        archives=(
            Archive(
                url="https://www.kaggle.com/api/v1/datasets/download/paramaggarwal/"
                "fashion-product-images-small",
                file="fashion-product-images-small.zip",
                hash=None,
                images=r"images/(?P<file>\d+\.jpg)",
                table=(r"styles\.csv", "id"),
            ),
        ),
        mirror="fashion_products_96px",
        label_column="articleType",
    ),
    "clothing": Source(
        title="Clothing dataset: single garments, photographed by many people",
        page="https://github.com/alexeygrigorev/clothing-dataset",
        licence="CC0 1.0 (public domain)",
        pictures_allowed="all",
        credit="Alexey Grigorev and contributors, Clothing dataset, CC0",
        archives=(
            Archive(
                url="https://github.com/alexeygrigorev/clothing-dataset/archive/"
                "7ed86a9cc56763b6acb35e41cb35184e43a5d218.zip",
                file="clothing-dataset.zip",
                hash=None,
                images=r"[^/]+/images/(?P<file>[^/]+\.jpg)",
                table=(r"[^/]+/images\.csv", "image"),
                labels=_if_sure,
            ),
        ),
        mirror="clothing_96px",
        label_column="label",
    ),
}
