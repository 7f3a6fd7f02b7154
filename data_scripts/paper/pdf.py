"""Extraction of numbers from the vector figures of arXiv 1902.03545v1.

Positions are in points of the page, from its upper left corner. Anything that is not at its
position in v1 is an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from t2v.errors import FileError

RED, BLUE = 0xFF0000, 0x0000FF
FIG4_CURVES = (
    "Brute force fixed",
    "ImageNet fixed",
    "Task2Vec fixed",
    "ImageNet finetune",
    "Task2Vec finetune",
)


class Drawing(NamedTuple):
    """A path of a page: centre and box in points of the page, fill colour, items and kind."""

    x: float
    y: float
    box: Any
    fill: tuple[float, ...] | None
    items: list
    kind: str


class Matrix(NamedTuple):
    """One half of Fig. 6."""

    tasks: list[str]
    experts: list[str]
    errors: np.ndarray
    """Integer per cent as printed, `[T, M]`."""
    red: np.ndarray
    """Column printed red, the expert selected by Task2Vec, `[T]`."""
    blue: np.ndarray
    """Column printed blue, the best expert if it is another one; else the red one, `[T]`."""
    xs: np.ndarray
    """Horizontal positions of the columns, `[M]`."""
    ys: np.ndarray
    """Vertical positions of the rows, `[T]`."""


def drawings(page: Any) -> list[Drawing]:
    """All paths of a page, in drawing order."""
    paths = []
    for path in page.get_drawings():
        box = path["rect"]
        fill = path["fill"] and tuple(round(v, 2) for v in path["fill"])
        x, y = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
        paths.append(Drawing(x, y, box, fill, path["items"], path["type"]))
    return paths


def vertices(path: Drawing) -> np.ndarray:
    """Vertices of a polyline, `[N, 2]`."""
    points = [path.items[0][1], *(item[2] for item in path.items)]
    return np.array([(p.x, p.y) for p in points])


def scale(at: Sequence[float], values: Sequence[float]) -> Callable[[Any], Any]:
    """Linear map from positions to values, through the first and the last grid line."""
    slope = (values[-1] - values[0]) / (at[-1] - at[0])
    return lambda position: values[0] + (np.asarray(position) - at[0]) * slope


def clusters(values: Sequence[float], gap: float = 1.5) -> np.ndarray:
    """Means of groups of sorted numbers whose neighbours are at most `gap` apart."""
    ordered = np.sort(values)
    return np.array(
        [g.mean() for g in np.split(ordered, np.flatnonzero(np.diff(ordered) > gap) + 1)]
    )


def nearest(positions: np.ndarray, value: float) -> int:
    """Index of the nearest position."""
    return int(np.argmin(np.abs(positions - value)))


# ---- Fig. 6 ------------------------------------------------------------------------------------


def words_with_colour(page: Any) -> list[dict[str, Any]]:
    """The words of a page with centre, colour, size and direction."""
    words = []
    for block in page.get_text("rawdict")["blocks"]:
        for line in block.get("lines", []):
            for span in line["spans"]:
                text = "".join(c["c"] for c in span["chars"])
                for match in re.finditer(r"\S+", text):
                    boxes = [c["bbox"] for c in span["chars"][match.start() : match.end()]]
                    words.append(
                        {
                            "text": match.group(),
                            "x": (boxes[0][0] + boxes[-1][2]) / 2,
                            "y": (min(b[1] for b in boxes) + max(b[3] for b in boxes)) / 2,
                            "colour": span["color"],
                            "size": span["size"],
                            "horizontal": line["dir"] == (1.0, 0.0),
                        }
                    )
    return words


def error_matrices(page: Any) -> tuple[Matrix, Matrix]:
    """The two matrices of Fig. 6, iNat+CUB and Mixed."""
    cells = [
        w
        for w in words_with_colour(page)
        if w["horizontal"] and w["size"] < 6 and w["text"].isdigit()
    ]
    rows, columns = [], []
    for block in page.get_text("dict")["blocks"]:
        for line in block.get("lines", []):
            text = "".join(s["text"] for s in line["spans"]).strip()
            if line["spans"][0]["size"] > 6 or re.fullmatch(r"[\d\s]*", text):
                continue
            x0, y0, x1, y1 = line["bbox"]
            if abs(line["dir"][1]) < 1e-6:
                rows.append((text, (y0 + y1) / 2, x0, x1))
            else:
                columns.append((text, x1))
    halves = []
    for left in (True, False):
        numbers = [c for c in cells if (c["x"] < 350) == left]
        xs, ys = clusters([c["x"] for c in numbers]), clusters([c["y"] for c in numbers])
        errors, colours = np.full((len(ys), len(xs)), -1), np.zeros((len(ys), len(xs)), int)
        for cell in numbers:
            at = nearest(ys, cell["y"]), nearest(xs, cell["x"])
            if errors[at] != -1:
                raise FileError(f"Fig. 6: two numbers in one cell, {at}")
            errors[at], colours[at] = int(cell["text"]), cell["colour"]
        names = [r for r in rows if (r[3] < 120 if left else r[2] > 340)]
        tasks = [min(names, key=lambda r, y=y: abs(r[1] - y))[0] for y in ys]
        experts = [t for t, x in sorted(columns, key=lambda c: c[1]) if (x < 350) == left]
        red = np.argmax(colours == RED, axis=1)
        blue = np.where((colours == BLUE).any(1), np.argmax(colours == BLUE, axis=1), red)
        if (errors < 0).any() or len(experts) != len(xs) or ((colours == RED).sum(1) != 1).any():
            raise FileError(f"Fig. 6 ({'left' if left else 'right'}) is not as in arXiv v1")
        halves.append(Matrix(tasks, experts, errors, red, blue, xs, ys))
    return halves[0], halves[1]


def viridis_index(colour: np.ndarray) -> int:
    """Index of a colour in the 256 colours of viridis (0 dark, 255 yellow)."""
    from matplotlib import colormaps

    table = np.round(colormaps["viridis"](np.arange(256))[:, :3] * 255)
    difference = np.abs(table - colour).sum(axis=1)
    if difference.min() > 6:
        raise FileError(f"Fig. 6: the colour {colour} is not one of viridis")
    return int(difference.argmin())


def distance_indices(page: Any, left: Matrix, right: Matrix) -> tuple[np.ndarray, np.ndarray]:
    """Background colours of Fig. 6 as indices of the colour map, 0 = nearest to 255 = farthest."""
    import pymupdf

    image = pymupdf.Pixmap(page.parent, page.get_images()[0][0])
    pixels = np.frombuffer(image.samples, np.uint8)
    pixels = pixels.reshape(image.height, image.width, image.n)[:, :, :3].astype(float)
    number = len(left.tasks)
    middle = ((np.arange(number) + 0.5) * image.height / number).astype(int)
    first = np.full((number, number), np.nan)
    for i, j in zip(*np.nonzero(~np.eye(number, dtype=bool)), strict=True):
        first[i, j] = 255 - viridis_index(pixels[middle[i], middle[j]])
    second = np.full(right.errors.shape, np.nan)
    for path in page.get_drawings():
        if path["type"] == "f" and len(path["items"]) == 4:
            box = path["rect"]
            at = (
                nearest(right.ys, (box.y0 + box.y1) / 2),
                nearest(right.xs, (box.x0 + box.x1) / 2),
            )
            second[at] = 255 - viridis_index(np.round(255 * np.array(path["fill"])))
    return first, second


# ---- Fig. 3 ------------------------------------------------------------------------------------


def violins(page: Any) -> tuple[list[str], list[np.ndarray], np.ndarray, np.ndarray]:
    """Fig. 3: names of the columns, their 49 errors, red crosses and carets (ImageNet), in %."""
    points, crosses, carets, grid = [], [], [], []
    for path in drawings(page):
        if path.fill == (0.27, 0.27, 0.27) and path.kind == "fs" and len(path.items) == 8:
            points.append((path.x, path.y))
        elif path.fill == (0.8, 0.0, 0.0):
            crosses.append((path.x, path.y))
        elif path.fill == (0.3, 0.45, 0.69):
            carets.append((path.x, path.box.y0))  # a caret's tip is its value
        elif path.kind == "s" and path.box.width > 400:
            grid.append(path.y)
    words = [(w[4], (w[1] + w[3]) / 2) for w in page.get_text("words") if w[0] < 130]
    ticks = {
        int(text[:-1]): min(grid, key=lambda g, y=y: abs(g - y))
        for text, y in words
        if re.fullmatch(r"\d+%", text)
    }
    per_cent = scale([ticks[0], ticks[80]], [0, 80])
    labels = []
    for block in page.get_text("dict")["blocks"]:
        for line in block.get("lines", []):
            text = "".join(s["text"] for s in line["spans"]).strip()
            if text.startswith("[") and abs(line["dir"][1]) > 0.1:
                labels.append((line["bbox"][2], text))
    at = clusters([x for x, _ in points])
    columns: list[list[float]] = [[] for _ in at]
    for x, y in points:
        columns[nearest(at, x)].append(float(per_cent(y)))

    def one_per_column(marks: list[tuple[float, float]]) -> np.ndarray:
        values = np.full(len(at), np.nan)
        for x, y in marks:
            k = nearest(at, x)
            # the legend's own mark is beside the columns
            if abs(at[k] - x) < 2 and np.isnan(values[k]):
                values[k] = per_cent(y)
        return values

    names = [text for _, text in sorted(labels)]
    return names, [np.array(c) for c in columns], one_per_column(crosses), one_per_column(carets)


# ---- Figs. 1, 2 and 4 --------------------------------------------------------------------------


def axes(
    paths: list[Drawing], region: tuple[float, float, float, float], x: list, y: list
) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """Maps from positions on the page to values of a plot, from its grid lines.

    Args:
        paths: all paths of the page.
        region: x0, y0, x1, y1 around the plot.
        x: values of the vertical grid lines, from left to right.
        y: values of the horizontal grid lines, from top to bottom.

    Returns:
        The map of x and the map of y.

    Raises:
        FileError: if the plot has another number of grid lines.
    """
    x0, y0, x1, y1 = region
    lines = [
        p.box
        for p in paths
        if p.kind == "s" and len(p.items) == 1 and x0 < p.x < x1 and y0 < p.y < y1
    ]
    vertical = clusters([b.x0 for b in lines if b.width < 0.01 and b.height > 60], 0.1)[1:-1]
    horizontal = clusters([b.y0 for b in lines if b.height < 0.01 and b.width > 60], 0.1)[1:-1]
    if (len(vertical), len(horizontal)) != (len(x), len(y)):
        raise FileError(f"a plot at {region} is not as in arXiv v1")
    return scale(vertical, x), scale(horizontal, y)


def taxonomic_curves(page: Any) -> pd.DataFrame:
    """Fig. 2, centre: mean taxonomic distance of the k nearest tasks, by two orders."""
    paths = drawings(page)
    to_k, to_distance = axes(
        paths, (295, 95, 400, 195), [0, 25, 50, 75, 100, 125], [3.0, 2.5, 2.0, 1.5, 1.0]
    )
    curves = [vertices(p) for p in paths if p.kind == "s" and len(p.items) == 8]
    return pd.DataFrame(
        {
            "k": np.round(to_k(curves[0][:, 0])).astype(int),
            "task2vec_avg_tax_distance": to_distance(curves[0][:, 1]).round(3),
            "taxonomic_avg_tax_distance": to_distance(curves[1][:, 1]).round(3),
        }
    )


def norms_and_errors(page: Any) -> tuple[np.ndarray, np.ndarray]:
    """Fig. 2, right, in drawing order: L1 norm (in units of 1) and error (%) of 50 dots."""
    paths = drawings(page)
    to_norm, to_error = axes(
        paths, (425, 95, 525, 195), [0.4, 0.6, 0.8], [60, 50, 40, 30, 20, 10, 0]
    )
    dots = [p for p in paths if p.kind == "fs" and len(p.items) == 8 and p.box.width < 3]
    dots = [p for p in dots if p.x > 428]
    return to_norm([p.x for p in dots]) * 1e8, to_error([p.y for p in dots])


def efficiency_curves(page: Any) -> pd.DataFrame:
    """Fig. 4: error relative to brute force, by number of samples."""
    paths = drawings(page)
    to_power, to_error = axes(paths, (100, 100, 260, 185), [2, 3, 4], [10, 0, -10])
    curves = [vertices(p) for p in paths if p.kind == "s" and len(p.items) in (4, 8)]
    rows = []
    for name, points in zip(FIG4_CURVES, curves, strict=True):
        samples = np.round(10 ** to_power(points[:, 0])).astype(int)
        rows += [
            (name, n, e) for n, e in zip(samples, to_error(points[:, 1]).round(2), strict=True)
        ]
    return pd.DataFrame(
        rows, columns=["curve", "n_samples", "error_relative_to_brute_force_percent"]
    )


def map_dots(page: Any) -> pd.DataFrame:
    """Fig. 1: positions of the dots of both maps, and the legend's name for their colour."""
    dots = [p for p in drawings(page) if p.kind == "fs" and len(p.items) == 8]
    legend = [p for p in dots if p.y < 107 and 205 < p.x < 368]
    names = {}
    for block in page.get_text("dict")["blocks"]:
        for line in block.get("lines", []):
            text = "".join(s["text"] for s in line["spans"]).strip()
            if text.endswith(("(n)", "(m)")):
                x, y = line["bbox"][0] - 8, (line["bbox"][1] + line["bbox"][3]) / 2
                mark = min(legend, key=lambda p, x=x, y=y: abs(p.y - y) * 3 + abs(p.x - x))
                names[mark.fill] = text
    rows = [
        (
            "task" if p.x < 290 else "domain",
            names[p.fill],
            round(p.x, 2),
            round(p.y, 2),
            round(p.box.width, 1),
        )
        for p in dots
        if p not in legend
    ]
    return pd.DataFrame(
        rows, columns=["panel", "colour_group_by_legend", "x_pt", "y_pt", "dot_width"]
    )
