"""Figures used more than once, all in one style; they take arrays and names.

`style` has sizes, colours and the three kinds of number, `maps` tasks as dots on a plane, `figures`
all others.
"""

from t2v.book.plots.figures import (
    distance_heatmap,
    image_grid,
    interval_curve,
    interval_row,
    leaf_order,
    no_table,
    regression,
    save,
    violins,
)
from t2v.book.plots.maps import spread_labels, task_map
from t2v.book.plots.style import (
    BLUE,
    CARD,
    GREEN,
    GREY,
    INK,
    MARKERS,
    OKABE_ITO,
    ORANGE,
    PAGE_WIDTH,
    PINK,
    QUIET,
    RED,
    SKY,
    contrast,
    group_styles,
    halo,
    number_kind,
    pool_looks,
    readable,
    use_style,
)

__all__ = [
    "BLUE",
    "CARD",
    "GREEN",
    "GREY",
    "INK",
    "MARKERS",
    "OKABE_ITO",
    "ORANGE",
    "PAGE_WIDTH",
    "PINK",
    "QUIET",
    "RED",
    "SKY",
    "contrast",
    "distance_heatmap",
    "group_styles",
    "halo",
    "image_grid",
    "interval_curve",
    "interval_row",
    "leaf_order",
    "no_table",
    "number_kind",
    "pool_looks",
    "readable",
    "regression",
    "save",
    "spread_labels",
    "task_map",
    "use_style",
    "violins",
]
