"""Work in parallel: order, errors, threads, and memory that goes back to the system."""

import os
import platform
import subprocess
import sys

import pytest
import torch

from t2v._run.parallel import default_jobs, in_parallel

GROWN = """
import os
import torch
from pathlib import Path
from t2v._run.parallel import in_parallel

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

def grow(megabytes):
    pieces = [torch.ones(250_000) for _ in range(megabytes)]  # 1 MB each
    pinned = pieces[-1].clone()  # on top of the heap: what lies below stays without a trim
    del pieces
    return resident(), pinned

(first, _), (second, _) = in_parallel(grow, [(1,), (400,)], 1, total=2, what="sizes")
print(second - first, resident() - first)
"""


def _power(base: float, exponent: int) -> float:
    return base**exponent


def _threads(_: int) -> tuple[int, int]:
    return os.getpid(), torch.get_num_threads()


@pytest.mark.parametrize("jobs", [1, 2])
def test_results_come_in_the_order_of_the_items_or_as_they_are_done(jobs):
    items = [(2.0, e) for e in range(12)]
    wanted = [2.0**e for e in range(12)]
    assert list(in_parallel(_power, items, jobs, total=12, what="powers")) == wanted
    loose = in_parallel(_power, items, jobs, total=12, what="powers", ordered=False)
    assert sorted(loose) == wanted


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_error_of_an_item_is_raised(jobs):
    with pytest.raises(ZeroDivisionError):
        list(in_parallel(_power, [(1.0, 1), (0.0, -1)], jobs, total=2, what="powers"))


def test_a_process_beside_others_has_one_thread_and_a_single_one_keeps_its_own():
    here = torch.get_num_threads()
    seen = list(in_parallel(_threads, [(i,) for i in range(4)], 2, total=4, what="threads"))
    assert all(pid != os.getpid() and count == 1 for pid, count in seen)
    assert list(in_parallel(_threads, [(0,)], 1, total=1, what="threads")) == [(os.getpid(), here)]


def test_a_network_on_a_gpu_is_not_shared_among_processes():
    assert default_jobs(torch.device("cpu")) == -1
    assert default_jobs(torch.device("cpu"), torch.device("cuda")) == 1


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has malloc_trim")
def test_memory_that_an_item_has_freed_goes_back_to_the_system():
    # as the Makefile has it, freed memory would stay
    keep = {"MALLOC_MMAP_THRESHOLD_": "1073741824", "MALLOC_TRIM_THRESHOLD_": "1073741824"}
    ran = subprocess.run(
        [sys.executable, "-c", GROWN],
        env=os.environ | keep,
        capture_output=True,
        text=True,
        check=True,
    )
    at_its_end, afterwards = map(int, ran.stdout.split())
    assert at_its_end > 300e6
    assert afterwards < 50e6
