"""A run on a disk that is really too small: `python -m reliability.full_disk FOLDER filled|limited`.

Two checkpoints; then the disk fills up (or the process may write no larger files) while a third is made; then there is
room again. Prints the exit code of the refusal, its sentence, and what the run went on from.
"""

import json
import os
import resource
import signal
import sys
from pathlib import Path

from reliability import runs
from reverie.errors import UserError
from reverie.run.run import Run

FOLDER, WAY = Path(sys.argv[1]), sys.argv[2]
FILLER = FOLDER / "filler"


def fill_up() -> None:
    """Take all the room but a little."""
    if WAY == "limited":
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4500, resource.RLIM_INFINITY))
        return
    statistics = os.statvfs(FOLDER)
    FILLER.write_bytes(bytes(statistics.f_bavail * statistics.f_bsize - 3 * 4096))


def make_room() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    FILLER.unlink(missing_ok=True)


def main() -> None:
    run = FOLDER / "run"
    promises = runs.made(run, 2)
    with Run.open(run) as opened:
        _, memory = runs.restored(opened)
        fill_up()
        try:
            runs.advance(opened, memory, 3)
        except UserError as error:
            code, message = error.code, str(error)
        else:
            raise AssertionError("there was room")
    make_room()
    whole = (run / "metrics.jsonl").read_bytes().endswith(b"\n")
    with Run.open(run) as opened:
        found, memory = runs.restored(opened)
        following = runs.advance(opened, memory, 3)
    with Run.open(run) as opened:
        again = runs.restored(opened)[0]
    answer = {"code": code, "message": message, "old": found == promises[1], "new": again == following, "whole": whole}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main()
