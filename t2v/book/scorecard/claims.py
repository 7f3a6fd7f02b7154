"""The paper's claims: where it makes them, in which words, and the numbers that decide."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from t2v.book.scorecard import measures, paper
from t2v.book.scorecard.measures import GARMENTS, NATURE, Finding, Measure, Tables

PRINTED = "MODEL2VEC, as printed"
COMMON = "common t₀ × 1"


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One claim of the paper.

    Attributes:
        key: name by which pages ask for it.
        where: figure or table of the paper; empty if the paper does not make the claim.
        says: the claim in words.
        below: whether the number must lie below its bound, or above it.
        share: share of the paper's number that is added to the bound.
        form: format of the number with its unit.
        paper: the paper's number, or the finding if its own tables decide; `None`: none.
        chapter: measure on the tables that the chapters write.
        worlds: measure on the tables of several worlds.
        rerun: whether the tables of the running build decide, because no library enters them.
        short: the claim in words for the front page; empty if it is not there.
    """

    key: str
    where: str
    says: str
    below: bool = True
    share: float = 0.0
    form: str = "{:+.1f} points"
    paper: paper.Number | Measure | None = None
    chapter: Measure | None = None
    worlds: Measure | None = None
    rerun: bool = False
    short: str = ""


def _figures() -> Iterator[Claim]:
    yield Claim(
        key="same-images",
        where="Fig. 1",
        says="of tasks on the same images, those are nearest that ask for the same kind of thing; "
        "the domain embedding cannot see that",
        below=False,
        form="{:.0f}%",
        paper=paper.on_its_map,
        chapter=measures.same_group(GARMENTS, better_than_domain=True),
        worlds=measures.level("wardrobe_times_chance", 1.0, form="{:.1f} × chance"),
        short="Tasks on the same images are told apart by what they ask",
    )
    yield Claim(
        key="nearest-relative",
        where="Fig. 2 left",
        says="the nearest task of a living thing is of its class, more often than by chance",
        below=False,
        form="{:.0f}%",
        paper=paper.nearest_of_class,
        chapter=measures.same_group(NATURE, better_than_domain=False),
        worlds=measures.level("phylogeny_same_class", factor=100),
    )
    yield Claim(
        key="tree",
        where="Fig. 2 centre",
        says="the nearest task is a nearer relative than a task at random",
        form="{:.2f} levels",
        paper=paper.nearest_in_tree,
        chapter=measures.nearest_in_tree,
        short="The nearest task is a relative in the tree of life",
    )
    yield Claim(
        key="norm",
        where="Fig. 2 right",
        says="the norm follows the error, over the tasks of living things",
        below=False,
        form="{:+.2f}",
        paper=paper.norm_and_error(),
        chapter=measures.norm_and_error,
        worlds=measures.level("phylogeny_norm_error", 0.0),
        short="The norm of an embedding follows the difficulty of its task",
    )
    yield Claim(
        key="norm-everywhere",
        where="Fig. 2 right",
        says="the same within the data set where it holds least",
        below=False,
        form="{:+.2f}",
        paper=paper.norm_and_error("CUB", "iNat"),
        chapter=measures.least_norm_and_error,
        worlds=measures.least_level("phylogeny_norm_error", "wardrobe_norm_error"),
    )
    yield Claim(
        key="beaten",
        where="Figs. 3 and 6",
        says="on most tasks (more than half) some expert errs less than the generic network",
        below=False,
        form="{:.0f}%",
        paper=paper.generic_beaten,
        chapter=measures.generic_beaten,
        worlds=measures.share_by_world("beaten", "asymmetric"),
    )
    yield Claim(
        key="luck",
        where="Figs. 3 and 6",
        says="the best expert beats the generic network by more than luck gives the best of many",
        below=False,
        paper=paper.gain,
        chapter=measures.gain_beyond_luck,
    )
    yield Claim(
        key="worth-choosing",
        where="",
        says="on at least a third of the tasks the best expert beats the generic network beyond "
        "luck, by a test that allows for the choice",
        below=False,
        form="{:.0f}%",
        chapter=measures.beaten_beyond_luck,
    )
    yield Claim(
        key="best-picked",
        where="Figs. 3 and 6",
        says="on most tasks of living things (more than half) the pick is the best expert",
        below=False,
        form="{:.0f}%",
        paper=paper.best_picked,
        chapter=measures.best_picked,
        worlds=measures.share_by_world("optimal", "asymmetric"),
    )
    for way, printed in (("fixed", "fixed"), ("fine-tuned", "finetune")):
        yield Claim(
            key=f"images-{way}",
            where="Fig. 4",
            says=f"{way}, the pick errs less than the generic network (most training images)",
            paper=paper.with_most_images(printed),
            chapter=measures.with_most_images(way),
        )
    yield Claim(
        key="toy",
        where="Fig. 5",
        says="simple tasks are small, complex ones large: norm against length of the boundary",
        below=False,
        form="{:+.2f}",
        chapter=measures.boundary_and_norm,
        rerun=True,
    )
    yield Claim(
        key="probe",
        where="Table 1",
        says="the probe matters: the worst recommends worse than the ResNet",
        below=False,
        paper=paper.probes,
        chapter=measures.worst_probe,
    )


def _table_2() -> Iterator[Claim]:
    yield from _of_meta_task("living", "inat_cub", "iNat+CUB", "living things (as iNat+CUB)")
    yield Claim(
        key="own-overlap",
        where="Table 2, iNat+CUB",
        says="the pick errs less than the generic network where it is no expert of the same order "
        "from the other data set",
        paper=paper.without_same_order,
    )
    yield from _of_meta_task("mixed", "mixed", "Mixed", "all tasks (as Mixed)")


def _of_meta_task(name: str, column: str, title: str, shown: str) -> Iterator[Claim]:
    """The claims about one meta-task.

    Args:
        name: its name in our tables.
        column: its column in the paper's Table 2.
        title: its name in the paper.
        shown: its column in the table of chapter 12.
    """
    where, first = f"Table 2, {title}", name == "living"
    yield Claim(
        key=f"chance-{name}",
        where=where,
        says="the nearest expert errs less than an expert at random",
        paper=paper.table_2(column, "asymmetric", "chance"),
        chapter=measures.over_chance(name),
        worlds=measures.by_world(name, "asymmetric", "chance"),
    )
    yield Claim(
        key=f"generic-{name}",
        where=where,
        says="the nearest expert errs less than the generic network",
        paper=paper.table_2(column, "asymmetric", "generic"),
        chapter=measures.over_rule(name, "asymmetric", "generic"),
        worlds=measures.by_world(name, "asymmetric", "generic"),
        short="The nearest expert errs less than the generic network" if first else "",
    )
    yield Claim(
        key=f"generic-{name}-strict",
        where="",
        says=f"the same ({title}) where no expert knows a class of the task",
        chapter=measures.over_rule(name, "asymmetric", "generic", overlap=False),
        worlds=measures.by_world(name, "asymmetric", "generic", overlap=False),
        short="The same where no expert knows a class of the task" if first else "",
    )
    for key, end, trivial in (
        (f"symmetric-{name}", "", ""),
        (f"symmetric-{name}-common", ", with one trivial embedding for all tasks", f", {COMMON}"),
    ):
        yield Claim(
            key=key,
            where=where,
            says="the second term of the asymmetric distance saves at least half of what it saves "
            f"in the paper{end}",
            share=0.5,
            paper=paper.table_2(column, "asymmetric", "symmetric"),
            chapter=None if trivial else measures.over_symmetric(shown),
            worlds=measures.by_world(name, f"asymmetric{trivial}", f"symmetric{trivial}"),
            short="The second term of the asymmetric distance saves much"
            if first and not trivial
            else "",
        )
    for key, strategy, says in (
        (f"model2vec-{name}", PRINTED, "MODEL2VEC, as printed, errs less than the nearest expert"),
        (f"model2vec-{name}-ours", "MODEL2VEC", "the same with our way to stop learning"),
    ):
        yield Claim(
            key=key,
            where=where,
            says=says,
            paper=paper.table_2(column, "MODEL2VEC", "asymmetric"),
            chapter=measures.over_rule(name, strategy, "asymmetric"),
            worlds=measures.by_world(name, strategy, "asymmetric"),
        )
    yield Claim(
        key=f"domain-{name}",
        where="",
        says=f"the nearest expert errs less than the one nearest by domain embedding ({title})",
        chapter=measures.over_rule(name, "domain", "asymmetric", turned=True),
        worlds=measures.by_world(name, "asymmetric", "domain"),
    )


CLAIMS: dict[str, Claim] = {claim.key: claim for claim in (*_figures(), *_table_2())}
"""All claims by their key, in the order of the paper's figures and tables."""

__all__ = ["CLAIMS", "Claim", "Finding", "Tables"]
