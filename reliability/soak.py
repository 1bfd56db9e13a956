"""`make soak`: a million steps of an environment, and the memory that the process holds meanwhile.

Writes `results/soak/memory.jsonl` (step, MiB) and its plot. Exit code 1 if memory grows by more than 10 MB over the
million steps, by a straight line through everything after a tenth of them (the replay is full by then).
"""

import json
import sys
import tempfile
import time
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np

from reliability.commands import METHODS, line, start
from reverie.data import durable
from reverie.run import log

STEPS = 1_000_000
ALLOWED = 10e6
FOLDER = Path("results/soak")
SETTINGS = ("--config.experience.train-ratio=0.05", "--config.experience.capacity=20000")
"""Few updates, for there are a million steps to be done."""


def resident(process: int) -> int:
    """Bytes of memory that a process holds; 0 if it has ended."""
    try:
        pages = Path(f"/proc/{process}/statm").read_text().split()[1]
    except FileNotFoundError:
        return 0
    return int(pages) * 4096


def sampled(folder: Path) -> list[tuple[int, int]]:
    """(step, bytes), every few seconds, until the run is done."""
    samples = []
    with (folder / "said").open("w") as said:
        process = start(line(METHODS[0], folder / "run", *SETTINGS, steps=STEPS), output=said)
        while process.poll() is None:
            time.sleep(3)
            logged = log.read(folder / "run" / log.FILE)[-1:]
            held = resident(process.pid)
            if logged and held:
                samples.append((int(logged[0]["step"]), held))
    if process.returncode:
        sys.exit((folder / "said").read_text())
    return samples


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        samples = sampled(Path(folder))
    steps, held = np.array(samples, float).T
    warm = steps > STEPS / 10
    slope, _ = np.polyfit(steps[warm], held[warm], 1)
    growth = slope * STEPS
    text = "".join(json.dumps({"step": step, "mib": round(it / 2**20, 2)}) + "\n" for step, it in samples)
    durable.write(FOLDER / "memory.jsonl", text.encode())
    draw(steps, held / 2**20, FOLDER / "memory.png", f"{METHODS[0].name}: {growth / 1e6:+.1f} MB per million steps")
    sys.stdout.write(f"memory grows by {growth / 1e6:.2f} MB per million steps; allowed are {ALLOWED / 1e6:.0f}\n")
    return int(growth > ALLOWED)


def draw(steps: np.ndarray, held: np.ndarray, path: Path, title: str) -> None:
    figure, axes = plt.subplots(figsize=(7, 3.5), layout="constrained")
    axes.plot(steps, held)
    axes.set(title=title, xlabel="simulator steps", ylabel="resident memory (MiB)", ylim=(0, None))
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    matplotlib.use("agg")
    sys.exit(main())
