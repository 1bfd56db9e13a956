"""`reverie data`: what runs keep, shown and checked; nothing of it is changed."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from run.kept import NUMBERS, chunk, described, fill, flip, kept, replay, saved

from reverie.cli.main import main
from reverie.run import checkpoints


@pytest.fixture
def run(here: Path) -> Path:
    """A run by the name of `doom`, in runs/, where we stand."""
    return kept(here / "runs" / "doom")


def test_runs_that_keep_experience_are_listed(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    described(run.with_name("new"))
    kept(run.with_name("pendulum"), spaces=NUMBERS)
    assert main(["data", "list"]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split() == ["run", "environment", "rows", "episodes", "seen", "oldest", "newest", "size"]
    assert [line.split()[:4] for line in lines] == [
        ["runs/doom", "World-v0", "60", "12"],
        ["runs/pendulum", "World-v0", "60", "12"],
    ]
    assert "pixels 4x4x3 uint8, state 2 float32" in lines[0]
    assert main(["data", "list", "runs", "--json"]) == 0
    entry = json.loads(capsys.readouterr().out)[0]
    assert (entry["oldest"], entry["newest"], entry["troubles"]) == (0, 59, [])
    assert entry["seen"][1] == {"name": "state", "shape": [2], "dtype": "float32"}


def test_troubles_are_listed(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chunk(run, 20).unlink()
    (kept(run.with_name("lost")) / "manifest.json").write_text("{")
    assert main(["data", "list"]) == 0
    shown = capsys.readouterr().out
    assert "runs/doom: 00000000000020.safetensors: No such file or directory" in shown
    assert "runs/lost: runs/lost/manifest.json is damaged" in shown
    assert main(["data", "list", "--json"]) == 0
    assert [entry["rows"] for entry in json.loads(capsys.readouterr().out)] == [40, None]


def test_no_runs_say_how_to_begin_one(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data"]) == 0
    assert "reverie train dreamer3" in capsys.readouterr().out
    assert main(["data", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_a_run_is_shown(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "show", "doom"]) == 0
    shown = capsys.readouterr().out
    assert "runs/doom: 60 rows, 0 to 59, of World-v0 in 2 streams" in shown
    assert "observation.pixels  uint8    4x4x3" in shown
    assert "12 whole episodes, 0 cut" in shown
    assert "100 % terminated, 0 % truncated" in shown
    assert "action  times   share" in shown
    assert main(["data", "show", "doom", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["environment"], found["episodes"]["whole"]) == ("World-v0", 12)


def test_actions_that_are_numbers_are_shown_as_ranges(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept(here / "run", spaces=NUMBERS)
    assert main(["data", "show", "run"]) == 0
    assert "action  minimum  maximum" in capsys.readouterr().out


def test_numbers_that_are_not_finite_are_shown_and_said(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept(here / "run", change=lambda time, step, _: step.observation["state"].fill(np.nan if time == 3 else 0))
    assert main(["data", "show", "run", "--json"]) == 0
    arrays = {row["array"]: row for row in json.loads(capsys.readouterr().out)["arrays"]}
    assert arrays["observation.state"]["mean"] == "nan"
    assert main(["data", "show", "run", "--episode", "0", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["steps"][3]["observation"]["state"] == ["nan", "nan"]
    assert main(["data", "show", "run"]) == 0
    assert " nan" in capsys.readouterr().out


def test_an_episode_is_a_table_and_a_film(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "show", "doom", "--episode", "3"]) == 0
    shown = capsys.readouterr().out
    assert "episode 3 of 0 to 11: 4 actions in stream 1, return 4, terminated\n" in shown
    assert "step  row  action  reward  state  end\n   0   11  2" in shown
    assert shown.endswith("film: runs/doom/media/episode-3.webp\n")
    with Image.open("runs/doom/media/episode-3.webp") as film:
        assert film.n_frames == 5
    assert main(["data", "show", "doom", "--episode", "3", "--rows", "3", "--out", "other.webp", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["film"], found["length"], found["return"], found["whole"]) == ("other.webp", 4, 4.0, True)
    assert [step["row"] for step in found["steps"]] == [11, 13, 15, 17, 19]
    assert found["steps"][4]["terminated"] is True
    assert Path("other.webp").stat().st_size > 0


@pytest.mark.parametrize(
    ("rows", "shown"), [("0", []), ("1", ["0", "..."]), ("3", ["0", "1", "...", "4"]), ("9", ["0", "1", "2", "3", "4"])]
)
def test_of_a_long_episode_the_first_and_last_rows(
    here: Path, rows: str, shown: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    kept(here / "run", spaces=NUMBERS)
    assert main(["data", "show", "run", "--episode", "0", "--rows", rows]) == 0
    lines = capsys.readouterr().out.splitlines()[3:]
    assert [line.split()[0] for line in lines] == shown
    assert not (here / "run" / "media").exists()


def test_a_cut_episode_says_so(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    saved(described(here / "run"), fill(replay(), range(3)))
    assert main(["data", "show", "run", "--episode", "0"]) == 0
    assert "2 actions in stream 0, return 2, not ended; cut" in capsys.readouterr().out


def test_sound_runs_are_verified(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept(run.with_name("other"))
    assert main(["data", "verify", "doom", "runs/other"]) == 0
    assert capsys.readouterr().out == "runs/doom: OK, 60 rows in 3 chunks\nruns/other: OK, 60 rows in 3 chunks\n"


def test_what_is_not_sound_is_named(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept(run.with_name("other"))
    flip(chunk(run, 20))
    (run / "replay" / "00000000000099.safetensors").write_bytes(b"")
    assert main(["data", "verify", "doom", "other"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "runs/doom: NOT sound; 40 rows in 3 chunks were looked into:",
        "  00000000000020.safetensors: checksum differs",
        "  note: 00000000000099.safetensors has no line in chunks.jsonl",
        "runs/other: OK, 60 rows in 3 chunks",
    ]
    assert main(["data", "verify", "other", "doom", "--json"]) == 1
    sound, broken = json.loads(capsys.readouterr().out)
    assert (sound["sound"], broken["sound"]) == (True, False)
    assert broken["faults"] == [{"where": "00000000000020.safetensors", "what": "checksum differs"}]


def test_a_checkpoint_that_cannot_be_read_is_said(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (newest,) = checkpoints.listed(run / checkpoints.FOLDER)
    flip(newest / "replay.safetensors")
    assert main(["data", "show", "doom"]) == 0
    assert f"note: checkpoint {newest.name}: replay.safetensors does not match" in capsys.readouterr().out
    assert main(["data", "verify", "doom"]) == 1


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["show", "none"], 2, "No run 'none'. There are doom, new"),
        (["show", "new"], 2, "runs/new keeps no experience"),
        (["show", "doom", "--episode", "12"], 2, "has no episode 12. It keeps 0 to 11"),
        (["show", "doom", "--episode", "-1"], 2, "has no episode -1"),
        (["show", "doom", "--episode", "0", "--out", "film.gif"], 2, "end it in .webp or .mp4"),
        (["show", "doom", "--episode", "0", "--fps", "0"], 2, "--fps is more than 0"),
        (["show", "doom", "--out", "film.webp"], 2, "say which with --episode 0"),
        (["show", "numbers", "--episode", "0", "--out", "film.webp"], 2, "leave out --out"),
        (["show"], 2, "`reverie data list` lists"),
        (["verify"], 2, "`reverie data list` lists"),
        (["verify", "doom", "none"], 2, "No run 'none'"),
        (["verify", "new"], 2, "runs/new keeps no experience"),
        (["verfy", "doom"], 2, "Did you mean `reverie data verify`?"),
        (["runs"], 2, "The verbs are list, show, verify."),
    ],
)
def test_a_mistake_is_explained(
    run: Path, words: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    described(run.with_name("new"))
    if "numbers" in words:
        kept(run.with_name("numbers"), spaces=NUMBERS)
    assert main(["data", *words]) == code
    shown = capsys.readouterr()
    assert message in shown.err
    assert "Traceback" not in shown.err
    assert shown.out == ""


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "--help"]) == 0
    assert "reverie data show runs/doom --episode 3" in capsys.readouterr().out


def test_a_run_that_was_trained(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["data", "verify", str(trained)]) == 0
    assert capsys.readouterr().out.startswith(f"{trained}: OK, ")
    assert main(["data", "show", str(trained), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["streams"] == 2
    assert found["episodes"]["return"] == found["episodes"]["length"]  # one point for each step of CartPole
