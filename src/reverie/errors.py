"""What a user can be told: one sentence with the remedy, and an exit code.

Every expected failure is a `UserError`; the command line prints its text without a traceback and ends with its code.
Anything else is a bug of ours and keeps its traceback (exit code 70).

    2   usage or configuration        28  disk full              64  input data that cannot be read
    70  internal error, or an environment that keeps failing     74  I/O error, or not permitted
    75  stopped, can be resumed (lock held)   78  something is not installed
    130 / 143  SIGINT / SIGTERM after a checkpoint
"""


class UserError(Exception):
    """Says what came, what was needed and what to do.

    Args:
        message: the whole text shown to the user.
        code: the process's exit code.
    """

    def __init__(self, message: str, *, code: int = 2) -> None:
        super().__init__(message)
        self.code = code
