"""`reverie studio [DIR]` and `reverie play RUN`: the page in the browser where dreams are played and runs looked at."""

import importlib.util
import ipaddress
import webbrowser
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, UseAppendAction, arg

from reverie.cli.arguments import parse
from reverie.errors import UserError

NEEDED = ("starlette", "uvicorn", "websockets")
PORT = 8710
VIEWERS = 16
"""Links for others, at most."""


@dataclass(frozen=True)
class Studio:
    """Serve the studio to this machine alone: every run, its curves, films and episodes, and its dream to be played.

    examples:
      reverie studio
      reverie studio experiments --port 0
    """

    folder: Annotated[Path, Positional, arg(metavar="DIR")] = Path("runs")
    """Where the runs are, this folder and all below it; what is saved of plays goes there too."""
    port: int = PORT
    """To listen on; 0: any that is free."""
    browser: bool = False
    """Open the page in the browser of this machine."""
    viewers: int = 0
    """So many links more, each for one other who may watch and play, but keep nothing here."""
    host: str = "127.0.0.1"
    """Where to listen: 127.0.0.1 or ::1. Another address lets others in, and needs --i-know."""
    i_know: bool = False
    """That whoever reads along on the network can use the studio as you do, where --host is not this machine."""
    allow_host: UseAppendAction[tuple[str, ...]] = ()
    """A further name under which it answers, behind a proxy or a forwarded port; may be given again."""
    environment: str = ""
    """Needed to play runs in `module:Class`: its name, as a file does not choose what is imported."""


@dataclass(frozen=True)
class Play:
    """Play the dream of a run in the browser, beside reality where that is installed.

    examples:
      reverie play weights/doom
      reverie play dreamer3-CartPole --browser
    """

    run: Annotated[str, Positional, arg(metavar="RUN", help_behavior_hint="")] = "weights/doom"
    """The run folder, or the beginning of its name in runs/."""
    port: int = PORT
    """To listen on; 0: any that is free."""
    browser: bool = False
    """Open the page in the browser of this machine."""
    viewers: int = 0
    """So many links more, each for one other who may watch and play, but keep nothing here."""
    host: str = "127.0.0.1"
    """Where to listen: 127.0.0.1 or ::1. Another address lets others in, and needs --i-know."""
    i_know: bool = False
    """That whoever reads along on the network can use the studio as you do, where --host is not this machine."""
    allow_host: UseAppendAction[tuple[str, ...]] = ()
    """A further name under which it answers, behind a proxy or a forwarded port; may be given again."""
    environment: str = ""
    """Needed for a run in `module:Class`: its name again, as a file does not choose what is imported."""


def main(words: list[str]) -> int:
    options = parse(Studio, words, verb="studio")
    _serve(options.folder, None, options)
    return 0


def play(words: list[str]) -> int:
    """`reverie play`."""
    options = parse(Play, words, verb="play")
    from reverie.run.runs import find

    run = find(options.run)
    _serve(Path("runs"), run, options)
    return 0


def _serve(folder: Path, run: Path | None, options: Studio | Play) -> None:
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(f'the studio needs {", ".join(missing)}: pip install ".[studio]"', code=78)
    from reverie.run import manifest, runs
    from reverie.studio import address, server
    from reverie.studio.dreams import Films
    from reverie.studio.gate import Gate, Keys
    from reverie.studio.host import Host
    from reverie.studio.shelf import Shelf, id_of

    if not 0 <= options.port < 2**16:
        raise UserError(f"--port: {options.port} is no port; they go from 0 to 65535.")
    if not 0 <= options.viewers <= VIEWERS:
        raise UserError(f"--viewers: {options.viewers} links; there can be 0 to {VIEWERS}.")
    host = address.checked(options.host, asked=options.i_know)
    address.answers(host, options.port, options.allow_host)  # what is wrong is said before anything listens
    doom = Path(runs.WEIGHTS) / "doom"
    package = Path(runs.__file__).parents[1]
    named = [path for path in (package / doom, package.parents[1] / doom) if (path / manifest.FILE).is_file()][:1]
    if run is not None and run.absolute() not in [path.absolute() for path in named]:
        named.append(run)
    listening = address.bound(options.port, host)
    port = listening.getsockname()[1]
    names, keys = address.answers(host, port, options.allow_host), Keys(port, viewers=options.viewers)
    shelf, theirs = Shelf(folder, tuple(named)), options.environment or None
    studio = server.Studio(shelf, Host(folder.absolute(), theirs), keys, Films(theirs))
    to = f"&to={id_of(run)}" if run is not None else ""
    link, *others = (f"{names.link}/open?token={token}{to}" for token in (keys.token, *keys.viewers))
    reach = (
        "this machine alone"
        if ipaddress.ip_address(host).is_loopback
        else "OTHERS REACH IT, AND READ ALONG WITHOUT TLS"
    )
    print(f"studio: {link}\n({reach}; the link works once; Ctrl-C ends it)", flush=True)
    for other in others:
        print(f"to watch and play, once: {other}", flush=True)
    if options.browser:
        webbrowser.open_new_tab(link)
    server.serve(Gate(studio.app(), names, keys), listening)
