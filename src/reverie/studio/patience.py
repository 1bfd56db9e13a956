"""HTTP/1.1 that is not kept waiting: who trickles a request costs one socket, for seconds.

A connection that is not being answered (its head is not whole, or the rest of a body that nobody reads trickles in) is
cut off after `PATIENCE` to twice that. Beyond `MOST` at once, no other is taken. Limits of a request that is whole:
`gate`; of bodies that are read: `server`. Free of jax.
"""

from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

PATIENCE = 5.0
"""Seconds."""
MOST = 400
"""Connections at once; files that a process may open are often 1,024."""


class Patient(H11Protocol):
    """One connection."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if len(self.connections) > MOST:
            transport.abort()
        else:
            self._look(self)

    def _look(self, before: Any) -> None:
        """Again and again: nothing under way, and nothing since the last look?"""
        if self not in self.connections:  # it has gone, or is a WebSocket by now
            return
        answering = self.cycle is not None and not self.cycle.response_complete
        if self.cycle is before and not answering:
            self.transport.abort()
        else:
            self.loop.call_later(PATIENCE, self._look, self if answering else self.cycle)
