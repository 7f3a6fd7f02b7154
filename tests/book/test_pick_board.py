"""The board of recommended experts: what is written, and on which ground."""

import matplotlib.pyplot as plt
import numpy as np

from t2v.book.pick_board import Pick, pick_board


def test_board_names_each_pick_on_a_ground_that_says_how_good_it_is():
    images = np.zeros((4, 3, 8, 8), dtype=np.uint8)
    images[3] = 255  # the lower right one
    picks = [Pick("all animals", 0.2), Pick("flowers", 3.4), Pick("letters", 90.0)]
    figure = pick_board({"citrus fruit": (images, picks)}, ["one", "two", "three"], "Who is right?")
    texts = {t.get_text().replace("\n", " "): ax for ax in figure.axes for t in ax.texts}
    assert set(texts) == {"one", "two", "three", "all animals", "flowers +3", "letters +90"}
    ground = {name: sum(ax.get_facecolor()[:3]) for name, ax in texts.items()}
    assert ground["all animals"] == 3  # white
    assert 3 > ground["flowers +3"] > ground["letters +90"]
    [shown] = [ax.images[0].get_array() for ax in figure.axes if ax.images]
    assert shown.shape == (16, 16, 3)
    assert shown[8:, 8:].min() == 255 and shown[:8].max() == shown[:, :8].max() == 0
    plt.close(figure)
