"""Plots as bytes of PNG or SVG, with matplotlib (extra `plots`) but without its global state.

A learning curve is return against environment steps: every training episode as a faint dot, their running mean as a
line, evaluations as large dots; several seeds become a mean and a band between the lowest and the highest. Losses,
if any, stand in a second panel. The open-loop error is drawn against the steps dreamt, beside the copy-last baseline;
what planners bring, against what a decision costs.
"""

import importlib.util
import io
import itertools
from collections.abc import Sequence as Several
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from reverie.errors import UserError
from reverie.evaluate.decisions import Decisions
from reverie.evaluate.film import DREAM, FAINT, INK, REALITY
from reverie.evaluate.open_loop import OpenLoop

Curve = tuple[np.ndarray, np.ndarray]
"""Steps and values, equally long."""

_ERROR_UNITS = {"f": "mean squared error", "u": "squared error, pixels 0 to 1", "i": "share wrong"}
_PALETTE = ("#2563eb", "#d97706", "#059669", "#db2777", "#7c3aed", "#0891b2", "#65a30d", "#dc2626")


@dataclass(frozen=True)
class Training:
    """What one run (one seed) logged, to be drawn."""

    episodes: Curve
    """Return of every training episode, at the step where it ended."""
    evaluations: Curve = field(default_factory=lambda: (np.zeros(0), np.zeros(0)))
    losses: dict[str, Curve] = field(default_factory=dict)


class Uncovering(NamedTuple):
    """Two pictures (height, width, 3) that differ only in the curves, and where each row of them lies."""

    full: np.ndarray
    empty: np.ndarray
    columns: np.ndarray
    """Pixel column of each row of the episode."""


def read_metrics(
    rows: list[dict[str, Any]],
    *,
    episode: str = "episode/return",
    evaluation: str = "evaluation/mean",
    losses: str = "loss/",
) -> Training:
    """Curves of the rows of a `metrics.jsonl`: one entry's name each, and the prefix of the losses."""
    names = sorted({name for row in rows for name in row if name.startswith(losses)})
    curves = {name.removeprefix(losses): _curve(rows, name) for name in names}
    return Training(_curve(rows, episode), _curve(rows, evaluation), curves)


def learning_curve(
    runs: Several[Training],
    *,
    title: str,
    goal: float | None = None,
    kind: str = "png",
) -> bytes:
    """Returns against steps of one run or of several seeds, and the first run's losses where it has any."""
    if not runs or not any(len(run.episodes[0]) or len(run.evaluations[0]) for run in runs):
        raise UserError("There is no learning curve yet: no episode has ended. Train on, then draw it again.")
    losses = runs[0].losses
    figure, axes = _figure([3, 2] if losses else [1], width=8.0, height=7.0 if losses else 4.6)
    _draw_returns(axes[0], runs, goal)
    axes[0].set_title(title, loc="left", fontsize=13, fontweight="bold", color=INK, pad=12)
    if losses:
        _draw_losses(axes[1], losses)
    axes[-1].set_xlabel("environment steps")
    return _bytes(figure, kind)


def planners(rows: Several[Decisions], *, title: str, kind: str = "png") -> bytes:
    """Return against steps imagined and against milliseconds, of each decision; a line is one planner."""
    figure, axes = _figure([1, 1], width=8.0, height=8.0, together=False)
    costs = ("steps imagined for each decision", lambda row: row.calls), ("milliseconds for each decision", _spent)
    names = list(dict.fromkeys(row.name for row in rows if row.calls))
    for axis, (label, cost) in zip(axes, costs, strict=True):
        for row in rows:
            if not row.calls:
                axis.axhline(row.returns.mean, color=FAINT, linewidth=1.5, linestyle=(0, (4, 3)), label=row.name)
        for colour, name in zip(itertools.cycle(_PALETTE), names, strict=False):
            line = sorted((row for row in rows if row.name == name), key=cost)
            means = np.array([row.returns.mean for row in line])
            ends = np.array([row.returns.confidence for row in line]).T
            reach = np.clip(np.stack([means - ends[0], ends[1] - means]), 0, None)
            where = [cost(row) for row in line]
            axis.errorbar(where, means, reach, color=colour, marker="o", markersize=5, capsize=3, label=name)
        axis.set_xscale("log")
        axis.set_xlabel(label)
        axis.set_ylabel("return, 95 % interval")
    axes[0].legend(frameon=False, labelcolor=INK, loc="lower left", bbox_to_anchor=(-0.01, 0.98), ncols=6)
    axes[0].set_title(title, loc="left", fontsize=13, fontweight="bold", color=INK, pad=30)
    return _bytes(figure, kind)


def _spent(row: Decisions) -> float:
    return row.milliseconds


def open_loop_error(result: OpenLoop, *, title: str, kind: str = "png") -> bytes:
    """Error of the dream, by name, against the number of steps dreamt."""
    names = list(result.error)
    figure, axes = _figure([1] * len(names), width=8.0, height=1.4 + 2.4 * len(names))
    steps = np.arange(1, result.rows - result.context + 1)
    for axis, name in zip(axes, names, strict=True):
        axis.plot(steps, result.baseline[name][result.context :], color=FAINT, label="repeat the last observation")
        axis.plot(steps, result.error[name][result.context :], color=DREAM, linewidth=2, label="dream")
        axis.set_ylabel(f"{name}: {_ERROR_UNITS[result.reality[name].dtype.kind]}")
        axis.set_ylim(bottom=0)
        axis.margins(x=0.01)
    axes[0].legend(frameon=False, labelcolor=INK, loc="lower left", bbox_to_anchor=(-0.01, 0.98), ncols=2)
    axes[0].set_title(title, loc="left", fontsize=13, fontweight="bold", color=INK, pad=30)
    axes[-1].set_xlabel("steps dreamt, with the episode's own actions")
    return _bytes(figure, kind)


def running_mean(curve: Curve, window: int) -> Curve:
    """Each value becomes the mean of itself and up to `window` - 1 before it."""
    steps, values = curve
    total = np.concatenate([[0.0], np.cumsum(values)])
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(0, ends - window)
    return steps, (total[ends] - total[starts]) / (ends - starts)


def numbers_over_time(
    reality: np.ndarray, dream: np.ndarray, names: list[str], *, context: int, width: int
) -> Uncovering:
    """Numbers (rows, count) over time, one panel each, real and dreamt."""
    figure, axes = _figure([1] * len(names), width=width / 100, height=0.9 + 1.1 * len(names), dpi=100)
    times, lines = np.arange(len(reality)), []
    for number, (axis, name) in enumerate(zip(axes, names, strict=True)):
        lines += axis.plot(times, reality[:, number], color=REALITY, linewidth=4, alpha=0.4)  # seen under the dream
        lines += axis.plot(times[:context], dream[:context, number], color="#475569", linewidth=1.2)
        lines += axis.plot(times[context - 1 :], dream[context - 1 :, number], color=DREAM, linewidth=1.6)
        axis.axvline(context - 0.5, color=DREAM, linewidth=1, linestyle=(0, (3, 3)))
        axis.set_ylabel(name, rotation=0, ha="right", va="center")
        axis.margins(x=0.01)
    figure.legend(
        lines[:3],
        ["reality", "reconstruction", "dream"],
        loc="outside upper left",
        ncols=3,
        frameon=False,
        labelcolor=INK,
    )
    axes[-1].set_xlabel("steps")
    full = _pixels(figure)
    points = np.stack([times, np.zeros_like(times)], axis=1)
    columns = axes[-1].transData.transform(points)[:, 0].astype(int)
    figure.set_layout_engine("none")  # or the axes would move when their lines go
    for line in lines:
        line.set_visible(False)
    return Uncovering(full, _pixels(figure), columns)


def _curve(rows: list[dict[str, Any]], name: str) -> Curve:
    """Finite values only: one NaN would hide all that came after it in a running mean."""
    points = [(row["step"], row[name]) for row in rows if row.get(name) is not None and np.isfinite(row[name])]
    return np.array([step for step, _ in points], float), np.array([value for _, value in points], float)


def _draw_returns(axis: Any, runs: Several[Training], goal: float | None) -> None:
    if goal is not None:
        axis.axhline(goal, color=FAINT, linewidth=1, linestyle=(0, (4, 3)))
        axis.annotate(
            f"goal {goal:g}",
            (0.01, goal),
            xycoords=("axes fraction", "data"),
            color="#64748b",
            ha="left",
            va="bottom",
            fontsize=9,
        )
    smooth = [running_mean(run.episodes, _window(run)) for run in runs]
    if len(runs) == 1:
        axis.plot(*runs[0].episodes, "o", color=FAINT, markersize=3, alpha=0.5, markeredgewidth=0, label="one episode")
        axis.plot(*smooth[0], color=_PALETTE[0], linewidth=2, label=f"mean of {_window(runs[0])} episodes")
    else:
        steps, low, middle, high = _band(smooth)
        axis.fill_between(steps, low, high, color=_PALETTE[0], alpha=0.15, linewidth=0, label="lowest to highest seed")
        axis.plot(steps, middle, color=_PALETTE[0], linewidth=2, label=f"mean of {len(runs)} seeds")
    for number, run in enumerate(run for run in runs if len(run.evaluations[0])):
        label = "evaluation" if number == 0 else None
        axis.plot(*run.evaluations, "o", color=_PALETTE[1], markersize=7, markeredgecolor="white", label=label)
    axis.set_ylabel("return of an episode")
    axis.legend(frameon=False, labelcolor=INK, loc="best")


def _draw_losses(axis: Any, losses: dict[str, Curve]) -> None:
    for colour, (name, curve) in zip(itertools.cycle(_PALETTE), losses.items(), strict=False):
        axis.plot(*running_mean(curve, max(1, len(curve[0]) // 50)), color=colour, linewidth=1.4, label=name)
    axis.set_ylabel("loss")
    axis.set_yscale("symlog", linthresh=0.1, linscale=0.5)
    named = axis.get_legend_handles_labels()
    axis.figure.legend(*named, frameon=False, labelcolor=INK, loc="outside lower center", ncols=4, fontsize=9)


def _band(curves: list[Curve]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Steps, lowest, mean and highest value over seeds where all of them have one."""
    start = max(steps[0] for steps, _ in curves)
    end = min(steps[-1] for steps, _ in curves)
    grid = np.linspace(start, max(start, end), 200)
    values = np.stack([np.interp(grid, steps, values) for steps, values in curves])
    return grid, values.min(axis=0), values.mean(axis=0), values.max(axis=0)


def _window(run: Training) -> int:
    return int(np.clip(len(run.episodes[0]) // 10, 1, 50))


def _figure(
    ratios: list[int], *, width: float, height: float, dpi: int = 150, together: bool = True
) -> tuple[Any, list[Any]]:
    """A figure of panels of these relative heights above each other, and the panels; `together`: one axis of time."""
    if importlib.util.find_spec("matplotlib") is None:
        raise UserError('Plots need matplotlib: pip install ".[plots]"', code=78)
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(
        {
            "font.family": "DejaVu Sans",
            "font.size": 10,
            "axes.edgecolor": FAINT,
            "text.color": INK,
            "axes.labelcolor": INK,
            "xtick.color": "#64748b",
            "ytick.color": "#64748b",
        }
    ):
        figure = Figure(figsize=(width, height), dpi=dpi, layout="constrained", facecolor="white")
        axes = figure.subplots(len(ratios), 1, sharex=together, squeeze=False, height_ratios=ratios)[:, 0]
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(axis="y", color="#e2e8f0", linewidth=0.8)
        axis.set_axisbelow(True)
    if together:
        axes[-1].xaxis.set_major_formatter(lambda value, _: f"{value / 1000:g}k" if value >= 10_000 else f"{value:g}")
    return figure, list(axes)


def _bytes(figure: Any, kind: str) -> bytes:
    if kind not in ("png", "svg"):
        raise ValueError(f"A plot can be 'png' or 'svg', got {kind!r}")
    from matplotlib import rc_context

    buffer = io.BytesIO()
    with rc_context({"svg.hashsalt": "reverie"}):  # this and no date: the same numbers give the same file
        figure.savefig(buffer, format=kind, metadata={"Date": None} if kind == "svg" else None)
    return buffer.getvalue()


def _pixels(figure: Any) -> np.ndarray:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
