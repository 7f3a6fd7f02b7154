"""Readers of images, tables and folders never end in a traceback; the long run: `fuzz.py`."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reading.fuzz import one


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1))
def test_mutated_files_are_read_or_refused_in_one_line(seed):
    assert ": " in one(seed)
