"""The newest that verifies; nothing else."""

import json
from pathlib import Path

import numpy as np
import pytest

from reverie.data import tensors
from reverie.errors import UserError
from reverie.run import checkpoints

PARTS = {"state": {"a": np.arange(5.0)}, "replay": {"b": np.zeros((2, 2), np.uint8)}}


def save(root: Path, step: int) -> Path:
    return checkpoints.save(root, step, PARTS, {"counters": {"updates": step}})


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    folder = save(tmp_path, 12)
    assert folder.name == "000000000012"
    checkpoint = checkpoints.load(folder)
    assert (checkpoint.about["step"], checkpoint.about["counters"]) == (12, {"updates": 12})
    np.testing.assert_array_equal(checkpoint.parts["state"]["a"], np.arange(5.0))
    assert checkpoint.parts["replay"]["b"].shape == (2, 2)
    assert list(checkpoints.load(folder, "state").parts) == ["state"]


def test_the_newest_two_are_kept(tmp_path: Path) -> None:
    for step in (5, 5, 12, 100):
        save(tmp_path, step)
    (tmp_path / "notes").mkdir()
    assert [folder.name for folder in checkpoints.listed(tmp_path)] == [
        "000000000100",
        "000000000012",
        "000000000005-1",
        "000000000005",
    ]
    checkpoints.prune(tmp_path)
    assert [folder.name for folder in checkpoints.listed(tmp_path)] == ["000000000100", "000000000012"]
    assert checkpoints.listed(tmp_path / "none") == []


@pytest.mark.parametrize("name", ["state.safetensors", "replay.safetensors", "manifest.json"])
@pytest.mark.parametrize("damage", ["truncate", "delete", "empty", "swap"])
def test_every_damage_is_seen(tmp_path: Path, name: str, damage: str) -> None:
    folder = save(tmp_path, 12)
    path, other = folder / name, folder / "replay.safetensors"
    content = path.read_bytes()
    if damage == "swap":
        other = folder / "state.safetensors" if other == path else other
        path.write_bytes(other.read_bytes())
    else:
        path.unlink() if damage == "delete" else path.write_bytes(content[:-3] if damage == "truncate" else b"")
    with pytest.raises((ValueError, OSError)):
        checkpoints.load(folder)


def test_without_the_check_only_sizes_are_compared(tmp_path: Path) -> None:
    path = save(tmp_path, 12) / "replay.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + b"1")
    assert checkpoints.load(path.parent, "replay", check=False).parts["replay"]["b"].tolist() == [[0, 0], [0, 49]]
    path.write_bytes(content[:-1])
    with pytest.raises(ValueError, match="does not match"):
        checkpoints.load(path.parent, "replay", check=False)


def test_every_flipped_bit_is_seen(tmp_path: Path) -> None:
    folder = save(tmp_path, 12)
    random = np.random.default_rng(0)
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()
        for bit in random.integers(8 * len(content), size=40):
            flipped = bytearray(content)
            flipped[bit // 8] ^= 1 << bit % 8
            path.write_bytes(flipped)
            with pytest.raises((ValueError, OSError)):
                checkpoints.load(folder)
        path.write_bytes(content)
    checkpoints.load(folder)


def resign(folder: Path, **changes: object) -> None:
    """Change a manifest so that its checksum is right again."""
    path = folder / checkpoints.MANIFEST
    manifest = json.loads(path.read_bytes()) | changes
    del manifest["blake2b"]
    path.write_text(json.dumps(manifest | {"blake2b": checkpoints._digest(manifest)}))


def test_a_newer_format_is_refused_not_set_aside(tmp_path: Path) -> None:
    folder = save(tmp_path, 12)
    resign(folder, format=2)
    with pytest.raises(UserError, match="has format 2; this version of Reverie reads 1"):
        checkpoints.load(folder)


def test_files_elsewhere_are_refused(tmp_path: Path) -> None:
    folder = save(tmp_path, 12)
    secret = b"".join(tensors.pack({"a": np.zeros(1)}))
    (tmp_path / "secret.safetensors").write_bytes(secret)
    entry = {"bytes": len(secret), "blake2b": tensors.digest([secret])}
    resign(folder, files={"../secret.safetensors": entry})
    with pytest.raises(ValueError, match="outside"):
        checkpoints.load(folder)


def test_set_aside(tmp_path: Path) -> None:
    for _ in range(2):
        checkpoints.set_aside(save(tmp_path, 12))
    assert checkpoints.listed(tmp_path) == []
    assert [path.name for path in tmp_path.iterdir()] == ["000000000012.bad"]
