"""Read the numbers of the paper's figures from a copy of its PDF.

    python -m data_scripts.paper.read_figures 1902.03545v1.pdf

The figures of arXiv 1902.03545v1 are vector graphics: the file has their numbers as text and
coordinates. The command reads the tables of `book/paper/` from them and prints for each table
whether it agrees with the one there (exit status 1 if one does not). `--write DIR` also writes
them. The PDF belongs to its authors: get it from https://arxiv.org/abs/1902.03545v1. Needs the
extra `paper`.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data_scripts.paper import pdf as paper_pdf
from data_scripts.paper.pdf import Matrix
from t2v._run.files import sha256_of
from t2v.book import tables
from t2v.errors import FileError

KEPT = Path(__file__).resolve().parents[2] / "book" / "paper"
SHA256 = "cc88278b7d269406c88a1e8403db29f66e888f1efddea77c462ed01d09d14d5c"


def printed_table(matrix: Matrix, own: bool) -> pd.DataFrame:
    """Fig. 6 as printed: errors in integer per cent, and the experts printed red and blue."""
    table = pd.DataFrame(matrix.errors, columns=matrix.experts)
    table.insert(0, "task", matrix.tasks)
    experts, rows = np.array(matrix.experts), np.arange(len(matrix.tasks))
    others = matrix.errors.astype(float)
    if own:
        np.fill_diagonal(others, np.inf)
    return table.assign(
        own_expert=experts if own else None,
        task2vec_selected_red=experts[matrix.red],
        printed_optimal_blue_or_red=experts[matrix.blue],
        optimal_error_min_excl_own=others.min(axis=1).astype(int),
        task2vec_selected_error=matrix.errors[rows, matrix.red],
    )


def distance_table(matrix: Matrix, indices: np.ndarray) -> pd.DataFrame:
    """The background of Fig. 6 as indices of the colour map."""
    table = pd.DataFrame(indices, columns=matrix.experts).astype("Int64")
    table.insert(0, "task", matrix.tasks)
    return table


def exact_tables(document: Any, left: Matrix, sizes: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The unrounded matrix from Figs. 2 and 3; each error is a whole number of test images."""
    names, columns, crosses, carets = paper_pdf.violins(document[5])
    norms, drawn = paper_pdf.norms_and_errors(document[3])
    norms = np.array([float(f"{norm:.6g}") for norm in norms])
    short = [task.split(" (")[0] for task in left.tasks]
    row = np.array([short.index(name) for name in names])
    number = len(short)
    errors, imagenet, cross, own = (np.zeros(s) for s in ((number,) * 2, number, number, number))
    for k, i in enumerate(row):
        errors[i, np.arange(number) != i] = columns[k]
    # Fig. 2 draws its errors in the column order of Fig. 3, beside norms in the row order of Fig. 6
    imagenet[row], cross[row], own[row] = carets, crosses, drawn
    errors[np.arange(number), np.arange(number)] = own
    size = sizes.set_index("task").n_test_images[left.tasks].to_numpy()

    def whole(per_cent: np.ndarray) -> np.ndarray:
        images = per_cent * (size[:, None] if per_cent.ndim == 2 else size) / 100
        if np.abs(images - np.round(images)).max() > 0.02:
            raise FileError("Fig. 3: an error is not a whole number of test images")
        return np.round(images) / (size[:, None] if per_cent.ndim == 2 else size) * 100

    errors, imagenet, cross = whole(errors), whole(imagenet), whole(cross)
    if np.abs(errors - left.errors).max() > 0.502:
        raise FileError("Fig. 3 does not round to the integers of Fig. 6")
    others = errors + np.diag(np.full(number, np.inf))
    best, at = others.argmin(axis=1), np.arange(number)
    experts = np.array(left.experts)
    exact = pd.DataFrame(errors.round(4), columns=left.experts)
    exact.insert(0, "task", left.tasks)
    exact.insert(1, "n_test", size)
    exact = exact.assign(
        imagenet_expert_error=imagenet.round(4),
        fig6_red_selected=experts[left.red],
        fig6_red_selected_error=errors[at, left.red].round(4),
        fig3_red_cross_error=cross.round(4),
        optimal_excl_own=experts[best],
        optimal_error_excl_own=errors[at, best].round(4),
        own_expert_error=errors[at, at].round(4),
        embedding_l1_norm=norms,
    )
    dots = pd.DataFrame(
        {
            "task_of_x (matrix row order)": left.tasks,
            "l1_norm_x": norms,
            "y_as_printed_next_to_it": drawn.round(4),
            "own_expert_error_of_this_task (corrected pairing)": exact.own_expert_error,
            "optimal_error_excl_own": exact.optimal_error_excl_own,
        }
    )
    return {"inat_cub_exact": exact, "fig2_right_digitised": dots}


def read(path: Path, sizes: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """All tables from the PDF.

    Args:
        path: path of the PDF of arXiv 1902.03545v1.
        sizes: test images of each task (3 for each species of iNaturalist 2018; not in the PDF).

    Returns:
        Tables by name, as in `book/paper/`.

    Raises:
        FileError: if the file cannot be read or is another document.
    """
    try:
        import pymupdf
    except ModuleNotFoundError:
        raise FileError(f"{path}: to read it, pip install 't2v[paper]' (PyMuPDF)") from None
    try:
        document = pymupdf.open(path)
    except (pymupdf.FileDataError, pymupdf.FileNotFoundError, pymupdf.EmptyFileError) as error:
        raise FileError(f"{path}: not a readable PDF ({error})") from None
    if len(document) != 15 or "TASK2VEC" not in document[0].get_text().upper():
        raise FileError(f"{path}: not the 15 pages of arXiv 1902.03545v1")
    left, right = paper_pdf.error_matrices(document[14])
    first, second = paper_pdf.distance_indices(document[14], left, right)
    return {
        "inat_cub": printed_table(left, own=True),
        "mixed": printed_table(right, own=False),
        "inat_cub_distance_index": distance_table(left, first),
        "mixed_distance_index": distance_table(right, second),
        **exact_tables(document, left, sizes),
        "fig1_points": paper_pdf.map_dots(document[1]),
        "fig2_center_digitised": paper_pdf.taxonomic_curves(document[3]),
        "fig4_digitised": paper_pdf.efficiency_curves(document[6]),
    }


ABOUT = {
    "inat_cub": {
        "source": "Fig. 6 left (p. 15): every number by its place, red and blue by its colour",
        "limits": "Whole per cent, as printed. All 2,500 equal an independent transcription.",
    },
    "mixed": {
        "source": "Fig. 6 right (p. 15)",
        "limits": "Whole per cent, as printed: one optimum is 0. The text says 26 experts and 50 "
        "tasks, the figure has 25 and 40; the unrounded errors are not published.",
    },
    "inat_cub_exact": {
        "source": "Fig. 3 (p. 6): points of a column in the order of the experts of Fig. 6, own "
        "expert left out; own errors and norms from Fig. 2 right (p. 4)",
        "limits": "Decoded from coordinates, then set to whole test images, from which no value "
        "was farther than 0.02 images. Every value rounds to the integer of Fig. 6. Sizes of CUB "
        "are the smallest that fit.",
    },
    "inat_cub_test_sizes": {
        "source": "iNaturalist 2018: 3 validation images for each species of the order (counts: "
        "tasks.json of awslabs/aws-cv-task2vec, Apache-2.0); CUB: from Fig. 3",
        "limits": "CUB: the smallest size for which all errors are whole images; a multiple would "
        "fit as well.",
    },
    "inat_cub_distance_index": {
        "source": "Fig. 6 left (p. 15), background: colour inverted through viridis",
        "limits": "Asymmetric distances up to an unknown offset and positive factor, in 256 steps "
        "(each exact to half a step); the diagonal is not drawn.",
    },
    "mixed_distance_index": {
        "source": "Fig. 6 right (p. 15), background: colour inverted through viridis",
        "limits": "Asymmetric distances up to an unknown offset and positive factor, in 256 steps.",
    },
    "fig1_points": {
        "source": "Fig. 1 (p. 2)",
        "limits": "Names are the legend's for the colour of a dot. In the left map the colours are "
        "shifted by one entry from Protozoa on (inferred from equal counts in both maps). Pattern "
        "and Shoes have one colour. Which task a dot is, is not said.",
    },
    "fig2_center_digitised": {
        "source": "Fig. 2 centre (p. 4)",
        "limits": "Three digits. Which 120 tasks: not said.",
    },
    "fig2_right_digitised": {
        "source": "Fig. 2 right (p. 4), with the errors of Fig. 6 and Fig. 3",
        "limits": "The drawn pairs do not belong together (chapter Six figures, redrawn).",
    },
    "fig4_digitised": {
        "source": "Fig. 4 (p. 7)",
        "limits": "Means over four tasks, two digits. No spread is drawn.",
    },
}

_MEANINGS = {
    "task": ("", "target task, as named in Fig. 6"),
    "n_test": ("images", "size of the task's test set"),
    "n_test_images": ("images", "size of the task's test set"),
    "n_species": ("species", "of iNaturalist 2018 in the order; empty for CUB"),
    "how": ("", "how the size is known"),
    "own_expert": ("", "the expert trained on the task itself, not eligible; empty in Mixed"),
    "task2vec_selected_red": ("", "expert printed red: selected by asymmetric Task2Vec"),
    "printed_optimal_blue_or_red": ("", "expert printed blue, or red where no blue is printed"),
    "optimal_error_min_excl_own": ("%", "smallest printed error of an eligible expert"),
    "task2vec_selected_error": ("%", "printed error of the red expert"),
    "imagenet_expert_error": ("%", "test error with the generic network: blue caret, tip"),
    "fig6_red_selected": ("", "expert printed red in Fig. 6"),
    "fig6_red_selected_error": ("%", "its test error"),
    "fig3_red_cross_error": ("%", "red cross of Fig. 3: not always the red expert of Fig. 6"),
    "optimal_excl_own": ("", "best eligible expert, first of equals"),
    "optimal_error_excl_own": ("%", "its test error"),
    "own_expert_error": ("%", "test error with the task's own expert"),
    "embedding_l1_norm": ("", "L1 norm of the task's embedding, at the scale of Fig. 2"),
    "task_of_x (matrix row order)": ("", "task to which the norm belongs"),
    "l1_norm_x": ("", "L1 norm of the embedding: the dot's x"),
    "y_as_printed_next_to_it": ("%", "the dot's y: the own expert's error of another task"),
    "own_expert_error_of_this_task (corrected pairing)": ("%", "own expert's error of this task"),
    "panel": ("", "task (left) or domain (right) embedding"),
    "colour_group_by_legend": ("", "name beside the dot's colour in the legend"),
    "x_pt": ("point", "from the left edge of the page"),
    "y_pt": ("point", "from the upper edge of the page"),
    "dot_width": ("point", "diameter of the dot"),
    "k": ("tasks", "number of nearest tasks"),
    "task2vec_avg_tax_distance": ("levels", "their mean taxonomic distance, order of Task2Vec"),
    "taxonomic_avg_tax_distance": ("levels", "the same in the order of the taxonomy itself"),
    "curve": ("", "name of the curve"),
    "n_samples": ("images", "of the task, drawn for training"),
    "error_relative_to_brute_force_percent": ("%", "error over that of brute force, minus 1"),
}


def describe(table: str, column: str) -> dict[str, str]:
    """Unit and meaning of a column; columns without an entry in `_MEANINGS` are experts."""
    if column in _MEANINGS:
        unit, meaning = _MEANINGS[column]
    elif "distance" in table:
        unit, meaning = "1/255 of the range", f"distance from the expert {column}, 0 is nearest"
    else:
        unit, meaning = "%", f"test error with the features of the expert {column}"
    return {"unit": unit, "meaning": meaning}


def differences(made: pd.DataFrame, kept: pd.DataFrame) -> list[str]:
    """Differences between a table that was read and the one in `book/paper`, in words."""
    if list(made.columns) != list(kept.columns) or len(made) != len(kept):
        return [f"another shape: {made.shape} read, {kept.shape} kept"]
    messages = []
    for name in made.columns:
        if pd.api.types.is_numeric_dtype(kept[name]) and kept[name].notna().any():
            a, b = (t[name].to_numpy(float, na_value=np.nan) for t in (made, kept))
            # the longest numbers have six digits in the table
            unequal = ~np.isclose(a, b, rtol=2e-5, atol=2e-4, equal_nan=True)
        else:
            a, b = (t[name].astype(object).where(t[name].notna(), "") for t in (made, kept))
            unequal = (a != b).to_numpy()
        if unequal.any():
            messages.append(f"column {name!r}: {unequal.sum()} of {len(kept)} differ")
    return messages


def main(arguments: list[str] | None = None) -> int:
    """Read, compare, and write if asked to; returns 0 if every table agrees."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pdf", type=Path, help="your copy of arXiv 1902.03545v1")
    parser.add_argument("--kept", type=Path, default=KEPT, help="tables to compare with")
    parser.add_argument("--write", type=Path, metavar="DIR", help="write the tables there")
    options = parser.parse_args(arguments)
    started = time.time()
    try:
        if not options.pdf.is_file():
            raise FileError(
                f"{options.pdf}: not found; get it from https://arxiv.org/abs/1902.03545v1"
            )
        if sha256_of(options.pdf) != SHA256:
            print("sha256 is not that of the original file; the numbers are compared all the same")
        sizes = pd.read_csv(options.kept / "inat_cub_test_sizes.csv")
        made = read(options.pdf, sizes)
        agree = True
        for name, table in made.items():
            kept = options.kept / f"{name}.csv"
            unlike = differences(table, tables.read(kept)) if kept.is_file() else ["none is kept"]
            agree &= not unlike
            print(f"{name}: {'; '.join(unlike) or f'agrees, {table.size} entries'}")
        if options.write:
            write(made, sizes, options.write, options.pdf, time.time() - started)
    except FileError as error:
        print(f"read_paper_figures: {error}", file=sys.stderr)
        return 2
    return 0 if agree else 1


def write(
    made: dict[str, pd.DataFrame], sizes: pd.DataFrame, folder: Path, pdf: Path, seconds: float
) -> None:
    """Write the tables with their sidecars.

    Args:
        made: tables by name.
        sizes: test images of each task.
        folder: folder of the tables.
        pdf: path of the PDF.
        seconds: computing time.
    """
    paper = {
        "name": "arXiv 1902.03545v1 (PDF)",
        "url": "https://arxiv.org/abs/1902.03545v1",
        "path": pdf,
        "licence": "copyright of its authors; not part of this project, only numbers read from it",
    }
    for name, table in {**made, "inat_cub_test_sizes": sizes}.items():
        about = ABOUT[name]
        tables.write(
            table,
            folder / f"{name}.csv",
            columns={column: describe(name, column) for column in table.columns},
            limits=about["limits"],
            seconds=seconds,
            inputs=[paper],
            command="python -m data_scripts.paper.read_figures PDF --write DIR",
            source=about["source"],
            kind="the paper's numbers",
        )


if __name__ == "__main__":
    sys.exit(main())
