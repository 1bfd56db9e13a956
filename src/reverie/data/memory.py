"""How much memory this process may use: what the machine has, or what its container is given."""

import os
from pathlib import Path

from reverie.errors import UserError

LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
"""Where Linux says what a container is given (cgroups, version 2 and 1)."""


def limit() -> int:
    """Bytes in all, used ones included."""
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    texts = [path.read_text().strip() for path in LIMITS if path.exists()]
    return min([machine, *(int(text) for text in texts if text.isdecimal())])


def check(needed: int, what: str, remedy: str) -> None:
    """Refuse at the start what would be killed for its memory hours later."""
    if needed > limit():
        raise UserError(
            f"{what} may grow to {needed / 2**30:.1f} GiB, and this machine has {limit() / 2**30:.1f} GiB. {remedy}"
        )
