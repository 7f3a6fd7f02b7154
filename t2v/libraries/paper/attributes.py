"""Many binary attributes of the same images, in a bit for each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from t2v.libraries.paper.published import Labelled, Plan


class Attributes:
    """Which of A values each of N images has.

    Args:
        count: A.
    """

    def __init__(self, count: int) -> None:
        self.count, self._rows = count, bytearray()

    def add(self, has: NDArray[np.bool_]) -> None:
        """Append an image by its values, bool `[A]`."""
        self._rows += np.packbits(has).tobytes()

    def __len__(self) -> int:
        return len(self._rows) // self._width

    @property
    def _width(self) -> int:
        return (self.count + 7) // 8

    @property
    def _bits(self) -> NDArray[np.uint8]:
        return np.frombuffer(self._rows, np.uint8).reshape(-1, self._width)

    def of(self, value: int) -> NDArray[np.int64]:
        """Whether each image has a value, 0 or 1, `[N]`."""
        return (self._bits[:, value // 8] >> (7 - value % 8) & 1).astype(np.int64)

    def single(self, values: Sequence[int]) -> Labelled:
        """The images that have exactly one of several values, and which."""
        has = np.stack([self.of(value).astype(bool) for value in values], 1)
        positions = np.flatnonzero(has.sum(1) == 1)
        return positions, has[positions].argmax(1)

    def plan(self, library: str, group: str, name: str, value: int) -> Plan:
        """The binary task of a value, on all images.

        Args:
            library: root of its lineage.
            group: group of the value.
            name: name of the value.
            value: number of the value.
        """
        return Plan(
            name=f"{library}/{name}",
            group=group,
            lineage=(library, group, name),
            classes=(f"not {name}", name),
            labelled=lambda: (np.arange(len(self)), self.of(value)),
        )

    def union(self, library: str, group: str, name: str, values: dict[int, str]) -> Plan:
        """The task that tells apart values, on the images with exactly one of them.

        Args:
            library: root of its lineage.
            group: group of the task.
            name: name of the task.
            values: number and name of each value.
        """
        return Plan(
            name=f"{library}/all: {name}",
            group=group,
            lineage=(library, name),
            classes=tuple(values.values()),
            labelled=lambda: self.single(list(values)),
        )
