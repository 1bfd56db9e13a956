"""A run stays what it is; its end may move out."""

import json
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


def test_a_change_is_noticed_unless_its_checksum_is_taken_out(tmp_path: Path) -> None:
    manifest.write(tmp_path, manifest.completed(ASKED))
    path = tmp_path / manifest.FILE
    written = path.read_text()
    path.write_text(written.replace('"deter": 8', '"deter": 9'))
    with pytest.raises(UserError, match="its checksum differs"):
        manifest.read(tmp_path)
    by_hand = json.loads(path.read_text())
    del by_hand["blake2b"]
    path.write_text(json.dumps(by_hand))
    assert manifest.read(tmp_path)["config"]["rssm"]["deter"] == 9


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "has format 2; this version of Reverie reads 1"),
        ({"_target_": "os.system"}, "has a field '_target_', which is none of a run"),
        ({"seed": "1"}, "says that 'seed' is '1'"),
        ({"steps": True}, "says that 'steps' is True"),
    ],
)
def test_a_field_that_is_not_ours_is_refused(change: dict[str, object], message: str, tmp_path: Path) -> None:
    manifest.write(tmp_path, manifest.completed(ASKED) | change)
    with pytest.raises(UserError, match=message) as refusal:
        manifest.read(tmp_path)
    assert refusal.value.code == 64


def test_what_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is no run"):
        manifest.read(tmp_path)
    for content in (b"{", b"[]", b"\xff"):
        (tmp_path / manifest.FILE).write_bytes(content)
        with pytest.raises(UserError, match="damaged") as refusal:
            manifest.read(tmp_path)
        assert refusal.value.code == 64
