import logging
import sys
import time

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


class Exits(RaisesOnce):
    def trouble(self) -> None:
        if self.seed == FIRST_SEED:
            sys.exit(3)


def test_a_world_that_exits_ends_nothing_but_itself() -> None:
    host, rows = hosting(Exits, (0,), 1)
    rows.command[:], rows.seed[:] = Command.RESET, FIRST_SEED
    host.done()
    rows.command[:] = Command.STEP
    assert "SystemExit: 3" in host.done()[0]


def test_what_cannot_be_built_anew_fails_again_with_its_own_traceback() -> None:
    host, rows = hosting(RaisesOnce, (0,), 1)
    rows.command[:], rows.seed[:] = Command.RESET, FIRST_SEED
    for command in (Command.RESET, Command.STEP, Command.STEP):
        rows.command[:] = command
        host.done()
    host._environment = broken
    rows.command[:] = Command.RESET
    for _ in range(2):
        assert "RuntimeError: no such world" in host.done()[0]


def test_the_table_says_which_row_was_mended_and_when_it_was_begun() -> None:
    host = Host(NotANumber, EnvironmentConfig(not_finite="sanitise"), (0,))
    rows = Rows(host.facts().spaces, 1)
    host.join(rows)
    mended = []
    for command in (Command.RESET, Command.STEP, Command.STEP, Command.STEP, Command.STEP):
        before = time.monotonic()
        rows.command[:] = command
        host.done()
        mended.append(bool(rows.mended[0]))
        assert before <= rows.began[0] <= time.monotonic()
    assert mended == [False, False, False, True, False]


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
        Host(broken, EnvironmentConfig(), (0,)).facts()
    assert caught.value.code == 70


def test_facts() -> None:
    facts = Host("reverie/End-v0", EnvironmentConfig(repeat=2), (0,)).facts()
    assert (facts.repeat, facts.spaces.action.classes) == (2, (2,))
