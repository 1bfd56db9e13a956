"""What is kept is what was: logs replay to the last bit, films are films, experience reads like a run's."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reverie.cli.main import main
from reverie.errors import UserError
from reverie.evaluate import video
from reverie.run.audit import audit
from reverie.run.stored import Stored
from reverie.studio import keep
from reverie.studio.scenery import Scenery
from reverie.studio.session import Session
from reverie.studio.shelf import id_of


def played(scenery: Scenery, *, beside: bool = False) -> Session:
    """Some steps, a branch, a change by hand, and some more."""
    session = Session(scenery, lambda _: None, seed=2)
    say = lambda kind, **more: session.handle({"type": kind, **more})
    if beside:
        say("view", what="both")
    for _ in range(5):
        say("step")
    say("seek", moment=3)
    if scenery.mind.has_temperature:
        say("temperature", value=0.7)
    say("step")
    say("dials")
    say("turn", dial=0, value=0.3)
    for _ in range(3):
        say("step")
    return session


@pytest.mark.parametrize("name", ["cartpole", "doom"])
def test_a_log_replays_to_the_last_bit(name: str, request: pytest.FixtureRequest) -> None:
    session = played(request.getfixturevalue(name))
    content = json.dumps(keep.log(session)).encode()
    other = Session(session.scenery, lambda _: None, seed=9)
    assert keep.follow(other, content) == (None, "")
    ours, theirs = (one.timeline.path(one.at) for one in (session, other))
    assert len(ours) == len(theirs) == 9
    assert [keep.digest(step.state) for step in ours] == [keep.digest(step.state) for step in theirs]
    assert json.dumps(keep.log(other)) == content.decode()


def test_open_eyes_replay_too(cartpole: Scenery) -> None:
    session = Session(cartpole, lambda _: None)
    session.handle({"type": "horizon", "steps": 2})
    for _ in range(6):
        session.handle({"type": "step"})
    other = Session(cartpole, lambda _: None)
    assert keep.follow(other, json.dumps(keep.log(session)).encode()).differs is None


def test_a_log_that_was_touched_is_found_out(cartpole: Scenery) -> None:
    found = keep.log(played(cartpole))
    found["steps"][1]["action"] = [1 - found["steps"][1]["action"][0]]
    assert keep.follow(Session(cartpole, lambda _: None), json.dumps(found).encode()).differs == 2


def test_a_log_of_another_run_or_step_says_so(cartpole: Scenery) -> None:
    found = keep.log(played(cartpole)) | {"run": "another", "step": 7}
    followed = keep.follow(Session(cartpole, lambda _: None), json.dumps(found).encode())
    assert followed == (None, "it was played in another as of step 7")


def test_reality_goes_the_way_of_a_log_that_is_replayed_beside_it(cartpole: Scenery) -> None:
    session = played(cartpole, beside=True)
    other = Session(cartpole, lambda _: None, seed=5)
    other.handle({"type": "view", "what": "both"})
    keep.follow(other, json.dumps(keep.log(session)).encode())
    assert other.reality is not None
    assert session.reality is not None
    ours, theirs = (one.reality.real(one.timeline[one.at]) for one in (session, other))
    np.testing.assert_array_equal(ours.observation["observation"], theirs.observation["observation"])
    assert [pane.kind for pane in other.frame().panes] == ["dream", "reality"]


def test_beyond_the_end_of_reality_its_last_picture_is_shown_and_its_rows_are_kept(
    cartpole: Scenery, tmp_path: Path
) -> None:
    session = Session(cartpole, lambda _: None)
    session.handle({"type": "view", "what": "both"})
    session.handle({"type": "input", "seq": 1, "held": ["0.1"]})
    session.handle({"type": "player", "who": "person"})
    for _ in range(20):  # to one side, so that the pole falls within ten
        session.handle({"type": "step"})
    assert session.reality is not None
    assert session.reality.real(session.timeline[session.at]) is None
    told = keep.experience(session, tmp_path)
    assert told["world"] == "CartPole-v1", "what was real is kept, up to its end"
    assert 8 <= told["rows"] <= 12
    assert Stored(tmp_path / told["folder"]).episodes[0].terminated
    session.handle({"type": "view", "what": "dream"})
    session.frame()
    session.handle({"type": "view", "what": "both"})
    assert [pane.kind for pane in session.frame().panes] == ["dream", "reality"], "as it ended"
    assert Image.open(io.BytesIO(keep.still(session))).format == "PNG"


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b'{"format": 2}', b'{"format": 1, "origin": {"origin": "world", "number": "0", "row": 0}}'],
)
def test_what_is_no_log_is_refused(content: bytes, cartpole: Scenery) -> None:
    with pytest.raises(UserError, match="no log"):
        keep.follow(Session(cartpole, lambda _: None), content)


def test_a_log_of_another_model_is_refused(cartpole: Scenery, doom: Scenery) -> None:
    with pytest.raises(UserError, match="no log"):
        keep.follow(Session(doom, lambda _: None), json.dumps(keep.log(played(cartpole))).encode())


def test_a_log_of_another_world_is_refused_though_its_states_would_fit(cartpole: Scenery) -> None:
    found = keep.log(played(cartpole)) | {"world": "Acrobot-v1"}
    with pytest.raises(UserError, match="its world is Acrobot-v1, and this run's CartPole-v1"):
        keep.follow(Session(cartpole, lambda _: None), json.dumps(found).encode())


def test_stills_and_films(doom: Scenery) -> None:
    session = played(doom)
    assert Image.open(io.BytesIO(keep.still(session))).format == "PNG"
    film = Image.open(io.BytesIO(keep.film(session, "webp")))
    assert film.format == "WEBP"
    assert film.n_frames == 5  # nine moments at 35 a second, every second one
    if video.has_mp4():
        assert keep.film(session, "mp4")[4:8] == b"ftyp"


def test_a_film_of_both_is_wider(cartpole: Scenery) -> None:
    alone, both = (Image.open(io.BytesIO(keep.still(played(cartpole, beside=it)))) for it in (False, True))
    assert both.width > 1.8 * alone.width


@pytest.mark.parametrize("beside", [False, True])
def test_experience_reads_like_a_runs(beside: bool, cartpole: Scenery, tmp_path: Path) -> None:
    session = played(cartpole, beside=beside)
    told = keep.experience(session, tmp_path)
    folder = tmp_path / told["folder"]
    assert told["world"] == ("CartPole-v1" if beside else "reverie/Dream-v0")
    assert audit(folder).sound
    rows = Stored(folder).sequence(0)
    path = [step for step in session.timeline.path(session.at) if step.how != "edit"]
    assert rows.action[:-1].tolist() == [step.action.tolist() for step in path[1:] if step.action is not None]
    assert rows.is_first.tolist() == [True] + [False] * (len(path) - 1)
    if beside:
        assert rows.reward.tolist() == [0.0] + [1.0] * (len(path) - 1)
    assert keep.experience(session, tmp_path)["folder"] != told["folder"]


def test_a_training_begins_with_what_was_played(cartpole: Scenery, micro: list[str], tmp_path: Path) -> None:
    folder = tmp_path / keep.experience(played(cartpole, beside=True), tmp_path)["folder"]
    run = tmp_path / "run"
    line = ["train", "dreamer3", "CartPole-v1", "--steps", "30", "--run", str(run), *micro]
    assert main([*line, "--config.experience.given", str(folder)]) == 0
    mine, lived = (Stored(it).sequence(0) for it in (folder, run))
    np.testing.assert_array_equal(lived.action, mine.action)
    np.testing.assert_array_equal(lived.observation["observation"], mine.observation["observation"])
    assert len(Stored(run).episodes) > 1


def test_a_shared_moment_is_found_again(cartpole: Scenery, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(keep, "folder_of", lambda _: tmp_path)
    session = played(cartpole)
    name = keep.share(session)
    other = Session(cartpole, lambda _: None)
    assert keep.shared(other, name.encode()).differs is None
    here, there = session.timeline[session.at].state, other.timeline[other.at].state
    assert np.array_equal(here.deter, there.deter)


@pytest.mark.parametrize(
    "name", [b"", b"../../manifest", b"0" * 16, b"ABCDEFABCDEFABCD", b"\xff" * 16, b"a/../../b/c/d/ef"]
)
def test_a_link_leads_nowhere_else(name: bytes, cartpole: Scenery) -> None:
    with pytest.raises(UserError, match="not on this machine"):
        keep.shared(Session(cartpole, lambda _: None), name)


def test_moments_of_a_run_are_kept_with_it(
    cartpole: Scenery, doom: Scenery, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Of weights, which may lie in a folder that is not ours to write to, in the user's cache, wherever one stands."""
    monkeypatch.setattr(keep, "user_folder", lambda: tmp_path)
    assert keep.folder_of(Session(cartpole, lambda _: None)) == cartpole.run / "media" / "moments"
    assert keep.folder_of(Session(doom, lambda _: None)) == tmp_path / "moments" / id_of(doom.run)
