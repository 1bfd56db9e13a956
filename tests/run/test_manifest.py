"""A run stays what it is; its end may move out."""

from pathlib import Path

import pytest

from reverie.errors import UserError
from reverie.run import manifest

ASKED = {
    "method": "dreamer3",
    "environment": "CartPole-v1",
    "seed": 0,
    "config": {"rssm": {"deter": 8, "sizes": (1, 2)}},
    "steps": 1000,
}
HERE = Path("runs/a")


def test_round_trip(tmp_path: Path) -> None:
    complete = manifest.completed(ASKED)
    manifest.write(tmp_path, complete)
    assert manifest.read(tmp_path) == complete
    assert complete["config"]["rssm"]["sizes"] == [1, 2]
    assert complete["budget"] is None
    assert complete["versions"].keys() >= {"python", "jax", "numpy"}


def test_the_same_settings_go_on() -> None:
    old = manifest.completed(ASKED) | {"created": "before", "versions": {}, "every": {"log": 7}}
    assert manifest.continued(old, manifest.completed(ASKED), HERE) == old


def test_other_settings_are_listed() -> None:
    old = manifest.completed(ASKED)
    new = manifest.completed(ASKED | {"seed": 1, "config": {"rssm": {"deter": 16, "sizes": (1, 2), "blocks": 8}}})
    with pytest.raises(UserError, match=r"--new.*--run") as refusal:
        manifest.continued(old, new, HERE)
    message = str(refusal.value)
    assert "config.rssm.deter: 8 there, 16 asked" in message
    assert "config.rssm.blocks: 'absent' there, 8 asked" in message
    assert "seed: 0 there, 1 asked" in message
    assert "sizes" not in message


def test_steps_may_grow_and_not_shrink() -> None:
    old = manifest.completed(ASKED)
    assert manifest.continued(old, old | {"steps": 2000}, HERE)["steps"] == 2000
    assert manifest.continued(old, old | {"steps": None}, HERE)["steps"] == 1000
    with pytest.raises(UserError, match="goes to 1000 steps already, asked were 500"):
        manifest.continued(old, old | {"steps": 500}, HERE)


def test_a_budget_of_time_that_is_used_up_stays_so_until_it_grows() -> None:
    begun = manifest.completed(ASKED | {"steps": None, "budget": 60.0})
    over = begun | {"steps": 4321}
    assert manifest.continued(over, begun, HERE) == over
    longer = manifest.continued(over, begun | {"budget": 120.0}, HERE)
    assert (longer["steps"], longer["budget"]) == (None, 120.0)
    assert manifest.continued(over, begun | {"steps": 9000, "budget": None}, HERE)["steps"] == 9000


def test_what_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is no run"):
        manifest.read(tmp_path)
    for content in (b"{", b"[]", b"\xff"):
        (tmp_path / manifest.FILE).write_bytes(content)
        with pytest.raises(UserError, match="damaged") as refusal:
            manifest.read(tmp_path)
        assert refusal.value.code == 64
