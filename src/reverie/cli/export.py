"""`reverie export RUN FOLDER`: the weights of a run in half precision, where its dreams begin, and a model card."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from reverie.cli.arguments import near, parse
from reverie.errors import UserError


@dataclass(frozen=True)
class Export:
    """Leave of a run what acts and dreams, in a folder that is evaluated and dreamt in like a run.

    examples:
      reverie export runs/vmc-VizdoomTakeCover-v1-nano-seed0 weights/mine
      reverie eval weights/mine
    """

    run: Annotated[str, Positional, arg(metavar="RUN", help_behavior_hint="")] = ""
    """The run folder, or the beginning of its name in runs/."""
    folder: Annotated[str, Positional, arg(metavar="FOLDER", help_behavior_hint="")] = ""
    """To be made."""
    environment: str = ""
    """Needed for a run in `module:Class`: its name again, as a file does not choose what is imported."""


def main(words: list[str]) -> int:
    options = parse(Export, words, verb="export")
    if not options.run or not options.folder:
        raise UserError("which run, and where to? For example `reverie export runs/mine weights/mine`.")
    from reverie import api

    folder = api.export(options.run, Path(options.folder).absolute(), environment=options.environment or None)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(f"{near(folder)}: {size / 1e6:.1f} MB. Try `reverie eval {near(folder)}`, and read its README.md.")
    return 0
