"""Published networks as experts for a folder of images: their features, their errors, the answer.

`published` lists the networks, `loading` loads them, `images` and `kept` give each image's features
once, `comparison` measures errors and says which networks cannot be told from the best, `similar`
adds what the networks did on the tasks of the open zoo that are nearest by Task2Vec.
"""

from t2v.candidates.comparison import Comparison, compare
from t2v.candidates.images import FileImages, Images, TensorImages
from t2v.candidates.kept import Measured, measure
from t2v.candidates.loading import load_networks
from t2v.candidates.network import HandMade, Network
from t2v.candidates.published import Candidate, published
from t2v.candidates.similar import SimilarTasks, similar_tasks

__all__ = [
    "Candidate",
    "Comparison",
    "FileImages",
    "HandMade",
    "Images",
    "Measured",
    "Network",
    "SimilarTasks",
    "TensorImages",
    "compare",
    "load_networks",
    "measure",
    "published",
    "similar_tasks",
]
