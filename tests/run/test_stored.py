"""What a run keeps is read as it was lived: whole rows, whole episodes, and nothing that stands for none."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from run.kept import EPISODE, STREAMS, chunk, described, fill, flip, kept, replay, saved

from reverie.data.chunks import MANIFEST, Chunks
from reverie.errors import UserError
from reverie.run import checkpoints
from reverie.run.stored import Episode, Stored, keeps, streams_of


def numbers(stored: Stored) -> list[int]:
    return [number for ids, _ in stored.pieces() for number in ids.tolist()]


def test_rows_come_chunk_by_chunk_the_oldest_first(tmp_path: Path) -> None:
    stored = Stored(kept(tmp_path))
    pieces = list(stored.pieces())
    assert [(ids[0], ids[-1]) for ids, _ in pieces] == [(0, 19), (20, 39), (40, 59)]
    for ids, rows in pieces:
        np.testing.assert_array_equal(rows["observation.state"][:, 1], ids)
        np.testing.assert_array_equal(rows["observation.pixels"][:, 3, 3, 2], ids)
    assert (stored.begin, stored.end, stored.streams, stored.troubles) == (0, 60, STREAMS, [])
    assert stored.layout["observation.pixels"] == ((4, 4, 3), "uint8")
    assert stored.size == sum(path.stat().st_size for path in stored.chunks.folder.glob("*.safetensors"))


def test_an_episode_is_the_rows_of_one_stream(tmp_path: Path) -> None:
    stored = Stored(kept(tmp_path))
    assert len(stored.episodes) == 12
    assert stored.episodes[3] == Episode(11, 1, EPISODE, 4.0, terminated=True, truncated=False, whole=True)
    assert stored.episodes[3].length == EPISODE - 1
    sequence = stored.sequence(3)  # it lies in two chunks
    np.testing.assert_array_equal(sequence.observation["state"][:, 0], [11, 13, 15, 17, 19])
    assert sequence.action.tolist() == [[2], [1], [0], [2], [0]]
    assert sequence.reward.tolist() == [0, 1, 1, 1, 1]
    assert sequence.is_first.tolist() == [True, False, False, False, False]
    assert sequence.is_last.tolist() == [False, False, False, False, True]


def test_an_episode_across_chunks(tmp_path: Path) -> None:
    stored = replay()
    for begin in range(0, 12, 3):
        fill(stored, range(begin, begin + 3)).seal(tmp_path / "replay")
    found = Stored(saved(described(tmp_path), stored)).sequence(1)
    assert found.observation["state"][:, 0].tolist() == [1, 3, 5, 7, 9]


def test_what_was_cut_is_said(tmp_path: Path) -> None:
    """The first rows have left memory, one reset came unannounced, and the last episodes still run."""
    stored = fill(replay(capacity=20), range(2, 10))
    fill(stored, range(5, 8))
    fill(stored, range(160))
    found = Stored(saved(described(tmp_path), fill(stored, range(3))))
    assert found.begin > 0
    assert not found.episodes[0].whole
    assert not found.episodes[-1].whole
    assert found.sequence(len(found.episodes) - 1).truncated.tolist() == [False, False, True]

    unannounced = fill(fill(replay(), range(3)), range(6))
    other = Stored(saved(described(tmp_path / "other"), unannounced))
    assert [(it.first, it.rows, it.whole) for it in other.episodes if it.stream == 1] == [
        (1, 3, False),
        (7, EPISODE, True),
        (17, 1, False),
    ]
    assert other.sequence(0).truncated.tolist() == [False, False, True]


def test_rows_that_stand_for_none_are_no_data(tmp_path: Path) -> None:
    stored = fill(replay(), range(4))
    fill(stored, range(4, 6), present=np.array([True, False]))
    found = Stored(saved(described(tmp_path), fill(stored, range(6, 10))))
    assert sorted(set(range(20)) - set(numbers(found))) == [9, 11]
    assert [(it.first, it.rows, it.whole) for it in found.episodes if it.stream == 1] == [(1, 4, False), (13, 4, False)]
    assert len(found.episodes) == 4


def test_what_is_newer_than_the_checkpoint_is_not_known_yet(tmp_path: Path) -> None:
    stored = fill(replay(), range(5))
    saved(described(tmp_path), stored)
    fill(stored, range(5, 10)).seal(tmp_path / "replay")
    assert numbers(Stored(tmp_path)) == list(range(10))
    assert numbers(Stored(saved(tmp_path, stored))) == list(range(20))


def test_without_a_checkpoint_every_row_counts(tmp_path: Path) -> None:
    shutil.rmtree(kept(tmp_path) / checkpoints.FOLDER)
    stored = Stored(tmp_path)
    assert (numbers(stored), stored.streams) == (list(range(60)), STREAMS)
    assert "no checkpoint yet" in str(stored.troubles[0])


def test_a_damaged_checkpoint_is_named_and_the_one_before_it_serves(tmp_path: Path) -> None:
    stored = fill(replay(), range(5))
    saved(described(tmp_path), stored)
    saved(tmp_path, fill(stored, range(5, 10)))
    newest, older = checkpoints.listed(tmp_path / checkpoints.FOLDER)
    flip(newest / "replay.safetensors")
    found = Stored(tmp_path)
    assert found.end == 10
    assert [str(it) for it in found.troubles] == [
        f"checkpoint {newest.name}: replay.safetensors does not match its checksum"
    ]
    (older / "replay.safetensors").unlink()
    found = Stored(tmp_path)
    assert (found.end, len(found.troubles)) == (20, 3)
    assert "None of its checkpoints can be read" in str(found.troubles[-1])


def test_a_checkpoint_that_knows_no_gaps_has_none(tmp_path: Path) -> None:
    stored = fill(replay(), range(5))
    stored.seal(tmp_path / "replay")
    for step, gaps in enumerate([None, np.zeros((1, 2), np.int64)]):
        state = {"counters": stored.state()["counters"]} | ({} if gaps is None else {"gaps": gaps})
        checkpoints.save(described(tmp_path) / checkpoints.FOLDER, step, {"state": {}, "replay": state}, {})
        found = Stored(tmp_path)
        assert (found.end, len(found.gaps), len(found.troubles)) == (10, 0, step)


def test_a_damaged_chunk_is_left_out_and_named(tmp_path: Path) -> None:
    flip(chunk(kept(tmp_path), 20))
    stored = Stored(tmp_path)
    assert len(numbers(stored)) == 40
    assert [str(it) for it in stored.troubles] == [f"{20:014d}.safetensors: checksum differs"]
    list(stored.pieces())
    assert len(stored.troubles) == 1, "said once"
    hasty = Stored(tmp_path, check=False)
    assert len(numbers(hasty)) == 60
    with pytest.raises(UserError, match="checksum differs") as error:
        hasty.sequence(6)
    assert error.value.code == 64
    assert hasty.sequence(0).observation["state"][0, 0] == 0


def test_a_chunk_that_is_deleted_meanwhile_is_no_trouble(tmp_path: Path) -> None:
    stored = Stored(kept(tmp_path))
    Chunks(tmp_path / "replay").keep(20)
    assert numbers(stored) == list(range(20, 60))
    assert stored.troubles == []
    late = Stored(tmp_path)
    assert len(late.episodes) == 8
    Chunks(tmp_path / "replay").keep(40)
    with pytest.raises(UserError, match="were deleted meanwhile"):
        late.sequence(0)


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("is_first", None, "is_first is missing, which is no part of a row"),
        ("reward", np.zeros(20, np.float64), "reward is float64"),
        ("action", np.zeros(20, np.int32), "action is int32"),
        ("observation.state", np.zeros((20, 3), np.float32), r"is float32 \[3\], in other chunks float32 \[2\]"),
        ("observation.more", np.zeros((20, 3), np.float32), r"is float32 \[3\], in other chunks missing"),
    ],
)
def test_a_chunk_that_is_unlike_the_others_is_refused(
    tmp_path: Path, name: str, array: np.ndarray | None, message: str
) -> None:
    stored = Stored(kept(tmp_path))
    first, *_, last = stored.chunks.listed
    rows = stored.read(first) | ({} if array is None else {name: array})
    chunks = Chunks(tmp_path / "replay")
    chunks.append(last.end, {it: values for it, values in rows.items() if it != name or array is not None})
    with pytest.raises(ValueError, match=message):
        stored.read(chunks.listed[-1])


def test_a_run_that_keeps_nothing(tmp_path: Path) -> None:
    assert not keeps(described(tmp_path))
    with pytest.raises(UserError, match="keeps no experience"):
        Stored(tmp_path)
    saved(tmp_path, replay())
    (tmp_path / "replay").mkdir()
    (tmp_path / "replay" / MANIFEST).write_text("")
    empty = Stored(tmp_path)
    assert (empty.episodes, numbers(empty), empty.layout) == ([], [], {})
    with pytest.raises(UserError, match=r"has no episode 0\. It keeps none yet"):
        empty.sequence(0)


@pytest.mark.parametrize("number", [-1, 12])
def test_an_episode_that_is_not_there(tmp_path: Path, number: int) -> None:
    with pytest.raises(UserError, match=f"has no episode {number}. It keeps 0 to 11"):
        Stored(kept(tmp_path)).sequence(number)


@pytest.mark.parametrize("environments", [0, True, "8", None])
def test_a_manifest_that_does_not_say_how_many(tmp_path: Path, environments: object) -> None:
    with pytest.raises(UserError, match=r"config.experience.environments is") as error:
        streams_of(described(tmp_path, environments))
    assert error.value.code == 64


def test_a_number_beyond_all_rows_is_no_line(tmp_path: Path) -> None:
    path = kept(tmp_path) / "replay" / MANIFEST
    line = json.loads(path.read_text().splitlines()[0]) | {"first": 10**30, "end": 10**30 + 20, "file": f"{10**30}"}
    path.write_text(path.read_text() + json.dumps(line | {"file": f"{10**30}.safetensors"}) + "\n")
    assert len(numbers(Stored(tmp_path))) == 60
