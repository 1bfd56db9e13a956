"""Timing that survives a busy machine: candidates take turns, and what counts is their ratio."""

import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import jax


def interleave(candidates: dict[str, Callable[[], Any]], repetitions: int) -> dict[str, dict[str, float]]:
    """Per name, the medians of wall and of processor seconds, the shortest wall time, and the first call's.

    The first call of each, which compiles, is not among the repetitions. Processor time counts both cores, and is what
    to compare when others use the machine too.
    """
    first = {name: _time(candidate)[0] for name, candidate in candidates.items()}
    turns = [{name: _time(candidate) for name, candidate in candidates.items()} for _ in range(repetitions)]
    summary = {}
    for name in candidates:
        walls, processors = zip(*[turn[name] for turn in turns], strict=True)
        median = {"seconds": statistics.median(walls), "processor_seconds": statistics.median(processors)}
        summary[name] = median | {"shortest": min(walls), "first": first[name]}
    return summary


def rounded(value: Any) -> Any:
    """Every number to four digits."""
    if isinstance(value, dict):
        return {name: rounded(element) for name, element in value.items()}
    return float(f"{value:.4g}") if isinstance(value, float) else value


def load() -> float:
    """Processes that wanted a core, on average over the last minute."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")


def _time(candidate: Callable[[], Any]) -> tuple[float, float]:
    wall, processor = time.perf_counter(), time.process_time()
    jax.block_until_ready(candidate())
    return time.perf_counter() - wall, time.process_time() - processor
