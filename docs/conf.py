"""How Sphinx builds these pages: MyST Markdown, the furo theme, warnings as errors.

Tables of numbers are made here, from `results/` and from the methods' sizes, and put where a page says `{{ ... }}`.
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
myst_enable_extensions = ["attrs_inline", "dollarmath", "substitution"]
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


myst_substitutions = {"results": ledger(ROOT / "results"), "dreamer3_sizes": sizes(), "dreamer3_own": own()}


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
