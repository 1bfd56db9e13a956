import logging

import numpy as np
import pytest
from envs.worlds import FIRST_SEED, Counter, NotANumber, RaisesOnce, broken

from reverie.envs.config import EnvironmentConfig
from reverie.envs.host import Host
from reverie.envs.rows import Command, Rows
from reverie.errors import UserError


def hosting(world, lines: tuple[int, ...], count: int) -> tuple[Host, Rows]:
    host = Host(world, EnvironmentConfig(), lines)
    rows = Rows(host.facts().spaces, count)
    host.join(rows)
    return host, rows


def test_a_host_obeys_its_own_lines_alone() -> None:
    host, rows = hosting(Counter, (1, 2), 4)
    rows.command[:] = [Command.RESET, Command.RESET, Command.IDLE, Command.RESET]
    rows.seed[:] = [1, 2, 3, 4]
    assert host.done() == {}
    assert rows.read().observation["observation"][:, 0].tolist() == [0, 2, 0, 0]


def test_an_exception_is_told_and_costs_no_other_line(caplog: pytest.LogCaptureFixture) -> None:
    host, rows = hosting(RaisesOnce, (0, 1), 2)
    rows.command[:], rows.seed[:] = Command.RESET, [FIRST_SEED, 5]
    host.done()
    rows.command[:] = Command.STEP
    host.done()
    with caplog.at_level(logging.WARNING):
        failures = host.done()
    assert list(failures) == [0]
    assert "RuntimeError: the gears are jammed" in failures[0]
    assert "RaisesOnce failed and is built anew" in caplog.text
    assert rows.read().observation["observation"][1].tolist() == [5, 2, 0]


def test_a_failed_environment_is_built_anew() -> None:
    host, rows = hosting(RaisesOnce, (0,), 1)
    rows.command[:], rows.seed[:] = Command.RESET, FIRST_SEED
    for command in (Command.RESET, Command.STEP, Command.STEP):
        rows.command[:] = command
        failures = host.done()
    assert list(failures) == [0]
    rows.command[:], rows.seed[:] = Command.RESET, 8
    assert host.done() == {}
    assert rows.read().observation["observation"][0].tolist() == [8, 0, 0]


def test_a_broken_promise_is_no_accident() -> None:
    host, rows = hosting(NotANumber, (0,), 1)
    rows.command[:] = Command.RESET
    host.done()
    rows.command[:] = Command.STEP
    host.done()
    host.done()
    with pytest.raises(UserError, match="not finite"):
        host.done()


def test_what_cannot_be_made_says_why() -> None:
    with pytest.raises(UserError, match=r"(?s)worlds:broken could not be made.*RuntimeError: no such world") as caught:
        Host(broken, EnvironmentConfig(), (0,))
    assert caught.value.code == 70


def test_facts() -> None:
    facts = Host("reverie/End-v0", EnvironmentConfig(repeat=2), (0,)).facts()
    assert (facts.repeat, facts.fps, facts.spaces.action.classes) == (2, 15.0, (2,))
    assert np.isfinite(facts.fps)
