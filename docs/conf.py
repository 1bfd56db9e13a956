"""How Sphinx builds these pages: MyST Markdown, the furo theme, warnings as errors.

One table is made here: the rows of `results/`, put where a page says `{{ results }}`. And docstrings are read as we
write them: one backquote is code, and so is a paragraph that is indented; `Args:` heads a list.
"""

import re
from pathlib import Path
from typing import Any

import reverie
from reverie.evaluate.ledger import read

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


def ledger(folder: Path) -> str:
    """A Markdown table of all rows: what was run, what was reached, from how many seeds."""
    lines = ["| row | environment | size | steps | seeds | mean return | goal | reached |", "|---" * 8 + "|"]
    for path in sorted(folder.glob("*.json")):
        _, row = read(path)
        means = [seed.mean for seed in row.seeds]
        scores = ", ".join(f"{mean:.4g}" for mean in means)
        goal = f"{row.goal.threshold:g} ({row.goal.measure}) in {row.goal.needed} of {len(means)}"
        cells = [f"`{row.name}`", f"`{row.environment}`", row.size, f"{row.steps:,}", str(len(means)), scores, goal]
        lines.append("| " + " | ".join([*cells, "yes" if row.met else "no"]) + " |")
    return "\n".join(lines) if len(lines) > 2 else "No row yet."


myst_substitutions = {"results": ledger(ROOT / "results")}


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
