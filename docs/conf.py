"""How Sphinx builds these pages: MyST Markdown, the furo theme, warnings as errors.

Tables of numbers are made here, from `results/` and from the methods' sizes; `make tables` (this file, run) puts them
between two comments of their name, on these pages and in the README.
Docstrings are read as we
write them: one backquote is code, and so is a paragraph that is indented; `Args:` heads a list.
"""

import re
from pathlib import Path
from typing import Any

import reverie
from reverie.api import size_config
from reverie.envs.config import EnvironmentConfig
from reverie.evaluate.ledger import Claim, read
from reverie.methods import dreamer3
from reverie.run.settings import flat
from reverie.types import ArraySpec, Spaces

ROOT = Path(__file__).parents[1]

project = "Reverie"
author = "The Reverie authors"
copyright = "2026, The Reverie authors"
release = reverie.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
autodoc_typehints = "none"  # the signatures carry them in the source; here they would drown the words
autodoc_member_order = "bysource"
myst_enable_extensions = ["attrs_inline", "dollarmath"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
default_role = "code"
html_theme = "furo"
html_title = "Reverie"
html_theme_options = {"source_repository": "", "navigation_with_keys": True}


def table(head: list[str], rows: list[list[str]]) -> str:
    """Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def ledger(folder: Path) -> str:
    """All rows: what was run, what was reached, from how many seeds."""
    rows = []
    for _, row in map(read, sorted(folder.glob("*.json"))):
        scores = ", ".join(f"{seed.mean:.4g}" for seed in row.seeds)
        goal = f"{row.goal.threshold:g} ({row.goal.measure}) in {row.goal.needed} of {len(row.seeds)}"
        dreamt = ", ".join(f"{sum(seed.dreamed) / len(seed.dreamed):.4g}" for seed in row.seeds if seed.dreamed)
        by = f"`{row.method}` {row.size}" + (f", then `{row.script}`" if row.script else "")
        cells = [f"`{row.name}`", by, f"`{row.environment}`", f"{row.steps:,}"]
        cells += [str(len(row.seeds)), scores, dreamt, goal]
        rows.append([*cells, "yes" if row.met else "no", changed(row) or "none"])
    head = [
        "row",
        "method",
        "environment",
        "steps",
        "seeds",
        "mean return",
        "in its dreams",
        "goal",
        "reached",
        "settings other than the size's",
    ]
    return table(head, rows) if rows else "No row yet."


def changed(row: Claim) -> str:
    """The settings of a row that its size, or an environment as it is, does not have today."""
    method, world = flat(size_config(row.method, row.size)), flat(EnvironmentConfig())
    other = [
        f"{name.rpartition('.')[2].replace('_', ' ')} {_plain(value)}"
        for now, settings in ((method, row.config), (world, row.environment_config))
        for name, value in settings.items()
        if name in now and _plain(now[name]) != _plain(value)
    ]
    return ", ".join(other)


def _plain(value: Any) -> Any:
    """As JSON has it, and 32 for 32.0."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return list(value) if isinstance(value, tuple) else value


def sizes() -> str:
    """DreamerV3's sizes, with the trainable parameters for a common world."""
    spaces = Spaces({"image": ArraySpec("image", (64, 64, 3))}, ArraySpec("discrete", (1,), (17,)))
    rows = []
    for name, config in dreamer3.SIZES.items():
        rssm = config.rssm
        widths = [str(rssm.deter), str(rssm.hidden), f"{rssm.stoch} x {rssm.classes}", str(config.depth)]
        rows.append([f"`{name}`", *widths, f"{sum(dreamer3.parameters(spaces, config).values()):,}"])
    return table(["size", "memory", "hidden", "guess", "depth", "parameters"], rows)


def own() -> str:
    """What our own sizes change besides widths, against the paper."""
    widths = {"rssm.deter", "rssm.hidden", "rssm.classes", "depth", "units"}
    paper = flat(dreamer3.Config())
    ours = {name: flat(dreamer3.SIZES[name]) for name in ("nano", "tiny")}
    values = [paper, *ours.values()]
    settings = [name for name in paper if name not in widths and any(it[name] != paper[name] for it in values)]
    rows = [[f"`{name}`", *(f"{value[name]}" for value in values)] for name in settings]
    return table(["setting", "paper", *(f"`{name}`" for name in ours)], rows)


def temperatures(folder: Path) -> str:
    """What Doom's agents score in the dreams they learned in, and in the game, beside the paper's."""
    paper = {0.1: "2,086, 193", 0.5: "2,060, 196", 1.0: "1,145, 868", 1.15: "918, 1,092", 1.3: "732, 753"}
    rows = {row.config["temperature"]: row for row in of("vmc", "VizdoomTakeCover-v1", folder)}
    found = []
    for heat, row in sorted(rows.items()):
        (seed,) = row.seeds
        dreamt = sum(seed.dreamed) / len(seed.dreamed)
        found.append([f"{heat:g}", f"{dreamt:,.0f}", f"{seed.mean:,.1f}", f"`{row.name}`", paper[heat]])
    return table(["temperature", "in its dreams", "in the game", "row", "the paper: dreams, game"], found)


def controls(folder: Path) -> str:
    """What CarRacing's agents score by what they look at, beside the paper's and others'."""
    found = []
    for row in of("vmc", "CarRacing-v3", folder):
        (seed,) = row.seeds
        alone, untrained = row.config["memoryless"], not row.config["memory_epochs"]
        sees = "z alone" if alone else "z, and h of an untrained M" if untrained else "z and h"
        paper = "632 ± 251" if alone else "870 (by others)" if untrained else "906 ± 21"
        curve = ", ".join(f"{value:.0f}" for _, value in seed.curve)
        found.append([sees, f"{seed.mean:.1f} ± {seed.std:.0f}", f"`{row.name}`", curve, paper])
    return table(["C sees", "score", "row", "the search's mean on its way", "the paper"], sorted(found))


def family(folder: Path) -> str:
    """The same world and steps by each of the family, and what each had after the seconds of the fastest."""
    names = {"planet": "PlaNet", "dreamer1": "Dreamer", "dreamer2": "DreamerV2", "dreamer3": "DreamerV3"}
    groups: dict[tuple[str, int], list[Claim]] = {}
    for _, row in map(read, sorted(folder.glob("*.json"))):
        if row.method in names and not row.script:
            groups.setdefault((row.environment, row.steps), []).append(row)
    found = []
    for (world, steps), rows in sorted(groups.items()):
        if len({row.method for row in rows}) < 2:
            continue
        fastest = min(_seconds(row) for row in rows)
        for row in sorted(rows, key=lambda row: list(names).index(row.method)):
            scores = [seed.mean for seed in row.seeds]
            spread = f"{sum(scores) / len(scores):.4g} ({min(scores):.4g} to {max(scores):.4g})"
            by = f"{names[row.method]}, repeat {row.environment_config.get('repeat') or 1}"
            minutes, soon = f"{_seconds(row) / 60:.1f}", f"{_trained_for(row, fastest):.4g}"
            found.append([f"`{world}`, {steps:,}", by, f"`{row.name}`", str(len(scores)), spread, minutes, soon])
    head = ["world, simulator steps", "method", "row", "seeds", "score (worst to best seed)", "minutes a seed"]
    return table([*head, "returns in training after the minutes of the fastest"], found)


def _seconds(row: Claim) -> float:
    """What a seed took, on average."""
    return sum(seed.wall_clock for seed in row.seeds) / len(row.seeds)


def _trained_for(row: Claim, seconds: float) -> float:
    """The mean of the last tenth of the curve that was done by then, were all steps equally fast; over the seeds."""
    means = []
    for seed in row.seeds:
        done = row.steps * min(1.0, seconds / seed.wall_clock)
        values = [value for step, value in seed.curve if 0.9 * done <= step <= done] or [seed.curve[0][1]]
        means.append(sum(values) / len(values))
    return sum(means) / len(means)


def of(method: str, environment: str, folder: Path) -> list[Claim]:
    """The rows of one method in one world."""
    rows = [row for _, row in map(read, sorted(folder.glob("*.json")))]
    return [row for row in rows if (row.method, row.environment) == (method, environment)]


TABLES = {
    "results": ledger(ROOT / "results"),
    "temperatures": temperatures(ROOT / "results"),
    "controls": controls(ROOT / "results"),
    "family": family(ROOT / "results"),
    "dreamer3_sizes": sizes(),
    "dreamer3_own": own(),
}


def written(page: str) -> str:
    """A page with every table between its two comments as it is now."""
    for name, rows in TABLES.items():
        begins, ends = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        page = re.sub(f"{begins}.*?{ends}", lambda _, made=f"{begins}{rows}\n{ends}": made, page, flags=re.DOTALL)
    return page


def as_we_write(app: Any, what: str, name: str, item: Any, options: Any, lines: list[str]) -> None:
    """`Args:` becomes a list of parameters; `::` goes in front of every indented paragraph after a blank line."""
    marked: list[str] = []
    arguments = inside = False
    for line in lines:
        indented = line.startswith(" ")
        arguments = line == "Args:" or (arguments and (indented or not line))
        if arguments:
            marked.append(re.sub(r"^ {4}(\w+): ", r":param \1: ", line.replace("Args:", "")))
            continue
        if indented and not inside and marked and not marked[-1]:
            marked += ["::", ""]
        inside = indented or (inside and not line)
        marked.append(line)
    lines[:] = marked


def setup(app: Any) -> None:
    app.connect("autodoc-process-docstring", as_we_write)


if __name__ == "__main__":
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        page.write_text(written(page.read_text()))
