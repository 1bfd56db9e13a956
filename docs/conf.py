"""How Sphinx builds these pages: MyST Markdown, the furo theme, warnings as errors.

One table is made here: the rows of `results/`, put where a page says `{{ results }}`.
"""

from pathlib import Path

import reverie
from reverie.evaluate.ledger import read

ROOT = Path(__file__).parents[1]

project = "Reverie"
author = "The Reverie authors"
copyright = "2026, The Reverie authors"
release = reverie.__version__

extensions = ["myst_parser"]
myst_enable_extensions = ["attrs_inline", "dollarmath", "substitution"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
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
