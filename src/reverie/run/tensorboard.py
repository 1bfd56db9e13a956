"""A run's metrics as event files, for those who look at their runs in TensorBoard.

`metrics.jsonl` stays the truth; the event files are made from it, whole, and made again when asked again.
"""

import importlib
from pathlib import Path

from reverie.data import durable
from reverie.errors import UserError
from reverie.run import log

FOLDER = "tensorboard"


def export(directory: Path) -> Path:
    """Write every scalar of a run's metrics against its step; returns the folder of the event files.

    Raises:
        UserError: tensorboardX is not installed.
    """
    try:
        board = importlib.import_module("tensorboardX")
    except ModuleNotFoundError as error:
        raise UserError('Event files need tensorboardX: pip install ".[tensorboard]"', code=78) from error
    folder = directory / FOLDER
    durable.remove(folder)
    with board.SummaryWriter(str(folder)) as writer:
        for row in log.read(directory / log.FILE):
            for name, value in row.items():
                if name not in ("step", "seconds") and isinstance(value, int | float):
                    writer.add_scalar(name, value, row["step"], row["seconds"])
    return folder
