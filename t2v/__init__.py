"""Task2Vec: embed visual classification tasks by the Fisher information of a probe network.

Achille et al., *Task2Vec: Task Embedding for Meta-Learning*, ICCV 2019, arXiv 1902.03545.

The public names, listed in `__init__.pyi`, are loaded on first use: distances, evaluation and
selection work where torch is not installed.
"""

from importlib.metadata import version

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__version__ = version("t2v")
