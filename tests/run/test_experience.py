"""The account of collecting and learning, kept without any network: a policy that stores which row it saw.

A row of `Counter` shows (seed modulo 1000, actions so far, last action); seed and time name it: 10 seed + time.
"""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from envs.worlds import Counter

from reverie.data.replay import steps_in
from reverie.envs.config import EnvironmentConfig
from reverie.errors import UserError
from reverie.protocol import AbstractPolicy
from reverie.run.experience import LONGEST, Acting, Experience, ExperienceConfig, Stack
from reverie.run.run import Run
from reverie.types import Step

BATCH, LENGTH = 2, 3
CONFIG = ExperienceConfig(environments=2, train_ratio=3.0, capacity=100, gibibytes=0.1)
LATENTS = {"mark": ((1,), "float32")}
KEY = jr.key(0)


class Marking(AbstractPolicy[Any]):
    """Remembers the name of the row it saw, and how many rows it has seen since the run began; acts at random."""

    def initial(self) -> Any:
        return {"name": jnp.zeros(()), "seen": jnp.zeros((), jnp.int32)}

    def act(self, carry: Any, observation: Any, is_first: Any, *, key: Any) -> tuple[jax.Array, Any]:
        memory = {"name": name(observation["observation"]), "seen": carry["seen"] + 1}
        return jr.randint(key, (1,), 0, 3), memory


def name(shown: Any) -> Any:
    return 10 * shown[..., 0] + shown[..., 1]


def remember(memory: Any) -> dict[str, jax.Array]:
    return {"mark": memory["name"][None]}


def begun(config: ExperienceConfig = CONFIG, seed: int = 0, online: bool = True) -> Experience:
    experience = Experience(Counter, EnvironmentConfig(), config, batch=BATCH, length=LENGTH, seed=seed, online=online)
    experience.begin(Marking(), LATENTS, remember, key=KEY)
    return experience


def names(stack: Stack) -> np.ndarray:
    return np.asarray(name(stack.sequence.observation["observation"]))


def learn(experience: Experience, turns: int, after: Any = lambda written, stack: None) -> list[list[Stack]]:
    """The stacks of each turn; what is written back is the row's name and a half, a quarter more each time."""
    history, written = [], 0.0
    for _ in range(turns):
        experience.collect(Marking())
        history.append([])
        for stack in experience.batches():
            written += 0.25
            history[-1].append(stack)
            marks = names(stack)[:, :, 1:, None] + np.float32(0.5 + written)
            experience.write_back({"mark": marks}, np.zeros(len(marks)))
            after(written, stack)
    return history


@pytest.mark.parametrize(
    ("ratio", "dispatch", "stacks"),
    [
        (3.0, 1, [2, 1, 1, 1, 1, 1]),  # one update per turn, and one for having enough
        (1.5, 1, [1, 1, 0, 1, 0, 1]),
        (9.0, 1, [4, 3, 3, 3, 3, 3]),
        (3.0, 2, [1, 0, 1, 0, 1, 0]),
        (9.0, 2, [2, 1, 2, 1, 2, 1]),
        (0.0, 1, [0, 0, 0, 0, 0, 0]),
    ],
)
def test_train_ratio(ratio, dispatch, stacks):
    """A turn of 2 environments replays 2 * ratio steps, 6 per update, from when 6 windows of 4 rows are there."""
    with begun(replace(CONFIG, train_ratio=ratio, dispatch=dispatch)) as experience:
        history = learn(experience, 11)
    assert [len(turn) for turn in history] == [0] * 5 + stacks
    assert all(len(stack.context["mark"]) == dispatch for turn in history for stack in turn)


@pytest.mark.parametrize(
    ("change", "stacks"),
    [
        ({"prefill": 16}, [0, 0, 2, 1, 1, 1]),  # two turns later than 6 windows are there
        ({"prefill": 8}, [2, 1, 1, 1, 1, 1]),  # which they are not sooner
        ({"pretrain": 5}, [6, 1, 1, 1, 1, 1]),
        ({"pretrain": 3, "prefill": 14, "train_ratio": 1.5}, [0, 3, 1, 0, 1, 0]),
        ({"pretrain": 5, "dispatch": 2}, [3, 0, 1, 0, 1, 0]),
    ],
    ids=str,
)
def test_what_is_due_at_first(change, stacks):
    """So many rows before the first update, and then so many updates on top of those of the train ratio."""
    with begun(replace(CONFIG, **change)) as experience:
        history = learn(experience, 11)
    assert [len(turn) for turn in history] == [0] * 5 + stacks


def test_it_is_filling_until_the_first_update_is_due(tmp_path: Path):
    """Also where it is broken off meanwhile; and what entitles to nothing fills too."""
    with begun(replace(CONFIG, train_ratio=0.0, prefill=16)) as experience:
        assert [(experience.filling, len(learn(experience, 1)[0]))[0] for _ in range(10)] == [True] * 8 + [False] * 2
    about = {"method": "m", "environment": "e", "size": "s", "seed": 0, "config": {}, "steps": 100}
    found = []
    for _ in range(5):
        with Run.create(tmp_path / "run", about) as run, begun(replace(CONFIG, prefill=16)) as experience:
            experience.restore(run, {})
            for _ in range(2):
                found.append((experience.filling, len(learn(experience, 1)[0])))
            experience.save(run, {})
    assert found == [(True, 0)] * 7 + [(True, 2)] + [(False, 1)] * 2


def test_what_is_given_is_replayed_and_counts_as_collected_but_not_as_steps(tmp_path: Path):
    """Three turns of another run: what it kept is here before the first step, and after a break too."""
    about = {"method": "m", "environment": "e", "size": "s", "seed": 0, "steps": 100}
    about |= {"config": {"experience": {"environments": 2}}}
    with Run.create(tmp_path / "other", about) as other, begun(seed=7) as experience:
        learn(experience, 8)
        experience.save(other, {})
    config = replace(CONFIG, given=str(tmp_path / "other"))
    drawn = []
    for turns in (2, 2):
        with Run.create(tmp_path / "run", about) as run, begun(config) as experience:
            before = experience.restore(run, {}) or experience.replay.inserted
            assert before == (16 if not drawn else 20)
            assert experience.steps == (0 if not drawn else 4)
            drawn += [names(stack) for turn in learn(experience, turns) for stack in turn]
            experience.save(run, {})
    assert len(drawn) == 5, "six windows are there at once: two updates are due in the first turn"
    assert any((batch >= 70).any() for batch in drawn), "rows of the other run have its seed in their names"


def test_what_stands_for_no_row_does_not_count_as_collected(tmp_path: Path):
    """Two of four streams are given eight rows in two episodes; the twelve gaps beside them are none (`prefill`)."""
    about = {"method": "m", "environment": "e", "size": "s", "seed": 0, "steps": 100}
    about |= {"config": {"experience": {"environments": 1}}}
    with Run.create(tmp_path / "other", about) as other, begun(replace(CONFIG, environments=1), seed=7) as experience:
        learn(experience, 8)
        experience.save(other, {})
    config = replace(CONFIG, environments=4, prefill=28, given=str(tmp_path / "other"))
    with Run.create(tmp_path / "run", about) as run, begun(config) as experience:
        experience.restore(run, {})
        assert (experience.replay.inserted, experience.replay.held) == (20, 8)
        filling = [(experience.filling, experience.collect(Marking()))[0] for _ in range(6)]
    assert filling == [True] * 5 + [False]


def test_more_may_be_collected_at_first_than_is_kept():
    """The replay holds 20 rows, the first update comes after 30."""
    with begun(replace(CONFIG, capacity=20, prefill=30)) as experience:
        history = learn(experience, 16)
    assert [len(turn) for turn in history] == [0] * 14 + [2, 1]


@pytest.mark.parametrize(
    ("change", "stacks"),
    [
        ({"train_ratio": 0.0}, [1, 0, 0, 6, 0, 0, 0, 0, 6]),
        ({}, [2, 1, 1, 7, 1, 1, 1, 1, 7]),
        ({"train_ratio": 0.0, "dispatch": 4}, [0, 0, 0, 1, 0, 0, 0, 0, 2]),
    ],
    ids=str,
)
def test_updates_when_an_episode_ends(change, stacks):
    """The two environments' episodes end with turns 4, 9, 14; the first of them before there is anything to draw."""
    with begun(replace(CONFIG, updates_per_episode=3, **change)) as experience:
        history = learn(experience, 14)
    assert [len(turn) for turn in history] == [0] * 5 + stacks


def test_what_is_owed_for_episodes_is_not_lost_with_a_break(tmp_path: Path):
    config = replace(CONFIG, train_ratio=0.0, updates_per_episode=3, prefill=12, pretrain=2, dispatch=4)
    with begun(config) as experience:
        whole = learn(experience, 20)
    about = {"method": "m", "environment": "e", "size": "s", "seed": 0, "config": {}, "steps": 100}
    with Run.create(tmp_path / "run", about) as run, begun(config) as experience:
        experience.restore(run, {})
        before = learn(experience, 11)
        experience.save(run, {})
    with Run.open(tmp_path / "run") as run, begun(config) as experience:
        experience.restore(run, {})
        after = continued(experience, 9, sum(len(turn) for turn in before))
    jax.tree.map(np.testing.assert_array_equal, before + after, whole)


def test_rows_are_kept_for_as_long_as_a_batch_may_wait():
    """Per environment: until the train ratio has earned a stack, or until episodes of the longest have."""
    waits = {
        "nothing": ({"train_ratio": 0.0}, 0),
        "ratio": ({"dispatch": 4, "train_ratio": 3.0}, 5),
        "episode": ({"train_ratio": 0.0, "updates_per_episode": 3}, LONGEST),
        "episodes": ({"train_ratio": 0.0, "updates_per_episode": 3, "dispatch": 7}, 3 * LONGEST),
        "either": ({"updates_per_episode": 3}, 2),
    }
    for change, rows in waits.values():
        experience = Experience(
            Counter, EnvironmentConfig(), replace(CONFIG, **change), batch=BATCH, length=LENGTH, seed=0
        )
        with experience:
            assert experience._lag == rows


@pytest.mark.parametrize("online", [True, False])
def test_the_replay_is_asked_for_its_queue_or_not(online):
    """What it does with it: `tests/data`."""
    with begun(replace(CONFIG, capacity=1000), online=online) as experience:
        history = learn(experience, 60)
    starts = [tuple(window) for turn in history for stack in turn for window in names(stack)[0].tolist()]
    assert experience.replay.online == online
    assert len(starts) > 100


def test_a_stack_is_windows_with_a_context_row():
    with begun() as experience:
        stack = learn(experience, 8)[-1][0]
    assert stack.sequence.reward.shape == (1, BATCH, 1 + LENGTH)
    assert stack.context["mark"].shape == (1, BATCH, 1)
    is_first = np.asarray(stack.sequence.is_first)
    np.testing.assert_array_equal(np.diff(names(stack))[~is_first[..., 1:]], 1)


def test_what_is_written_back_belongs_to_its_row_and_the_context_row_keeps_its_own():
    """The latents of a context row are what was last written to that very row, or else what the policy remembered."""
    marks: dict[float, float] = {}
    kinds = set()

    def check(written, stack):
        """Before this stack's own write counts: its context rows against the marks so far."""
        rows = names(stack)
        for row, mark in zip(rows[0, :, 0].tolist(), np.asarray(stack.context["mark"])[0, :, 0].tolist(), strict=True):
            kinds.add("written" if row in marks else "collected")
            assert mark == marks.get(row, row)
        marks.update({row: row + 0.5 + written for row in rows[:, :, 1:].ravel().tolist()})

    with begun() as experience:
        learn(experience, 60, check)
    assert kinds == {"written", "collected"}


def test_what_a_skipped_update_remembers_is_not_kept():
    """The second of every two updates is skipped: no context row ever shows its mark."""
    with begun(replace(CONFIG, dispatch=2)) as experience:
        for _ in range(60):
            experience.collect(Marking())
            for stack in experience.batches():
                assert np.isfinite(np.asarray(stack.context["mark"])).all()
                marks = names(stack)[:, :, 1:, None] + np.float32([0.5, np.nan])[:, None, None, None]
                experience.write_back({"mark": marks}, np.array([0, 1]))
                assert experience.skipped_in_a_row == 1
        assert experience.skipped > 20
        before = experience.skipped
        experience.write_back({"mark": marks}, np.array([2, 3]))
        assert (experience.skipped, experience.skipped_in_a_row) == (before + 2, 3)
        experience.write_back({"mark": marks}, np.array([4, 0]))
        assert (experience.skipped, experience.skipped_in_a_row) == (before + 3, 0)


def test_where_nothing_is_left_to_draw_from_drawing_begins_anew():
    """All rows but the six oldest are lost, and those leave before there are windows of new ones."""
    with begun() as experience:
        learn(experience, 80)
        taken, end = experience._taken, experience.replay.inserted // CONFIG.environments
        kept = CONFIG.capacity // CONFIG.environments - 6
        experience.replay._windows.lose(end - kept, end)
        left = []
        for _ in range(12):
            learn(experience, 1)
            left.append(len(experience.replay))
        assert 0 in left
        assert left[-1] > 0
        assert experience._taken > taken + 4


def test_a_dispatch_reads_latents_as_they_were_before_it():
    """Two batches in one stack: the second's context does not know what the first will have written."""
    with begun(replace(CONFIG, dispatch=2)) as experience:
        history = learn(experience, 60)
    stacks = [stack for turn in history for stack in turn]
    values = [np.asarray(stack.context["mark"])[..., 0] - names(stack)[:, :, 0] for stack in stacks]
    for number, value in enumerate(values):
        assert value.max() <= 0.5 + 0.25 * number


@pytest.mark.parametrize("stop", [3, 12], ids=["before learning", "while learning"])
def test_a_broken_run_goes_on_as_if_it_were_whole(tmp_path: Path, stop):
    with begun(replace(CONFIG, dispatch=2)) as experience:
        whole = learn(experience, 20)

    about = {"method": "m", "environment": "e", "size": "s", "seed": 0, "config": {}, "steps": 100}
    with Run.create(tmp_path / "run", about) as run, begun(replace(CONFIG, dispatch=2)) as experience:
        assert experience.restore(run, {"w": jnp.zeros(2)})["w"].tolist() == [0, 0], "there is nothing yet"
        before = learn(experience, stop)
        experience.save(run, {"w": jnp.ones(2)})
        steps = experience.steps
    with Run.open(tmp_path / "run") as run, begun(replace(CONFIG, dispatch=2)) as experience:
        assert experience.restore(run, {"w": jnp.zeros(2)})["w"].tolist() == [1, 1]
        assert experience.steps == steps
        after = continued(experience, 20 - stop, sum(len(turn) for turn in before))
    jax.tree.map(np.testing.assert_array_equal, before + after, whole)


def test_a_run_may_be_left_between_two_stacks_of_a_row(tmp_path: Path):
    """A row may owe more updates than there is patience for: it is left after any of them, and each is made once."""
    config = replace(CONFIG, train_ratio=12.0)
    with begun(config) as experience:
        whole = [stack for turn in learn(experience, 8) for stack in turn]
    assert len(whole) == 5 + 4 + 4
    about = {"method": "m", "environment": "e", "size": "s", "seed": 0, "config": {}, "steps": 100}
    stacks, rows = [], 0
    while len(stacks) < len(whole):
        with Run.create(tmp_path / "run", about) as run, begun(config) as experience:
            experience.restore(run, {})
            while not experience.owing:
                experience.collect(Marking())
                rows += 1
            assert experience.collect(Marking()) == [], "first what is owed"
            for stack in experience.batches(lambda: True):
                stacks.append(stack)
                marks = names(stack)[:, :, 1:, None] + np.float32(0.5 + 0.25 * len(stacks))
                experience.write_back({"mark": marks}, np.zeros(len(marks)))
            experience.save(run, {})
    assert rows == 8
    jax.tree.map(np.testing.assert_array_equal, stacks, whole)


def continued(experience: Experience, turns: int, stacks: int) -> list[list[Stack]]:
    """`learn`, with the marks that are due after so many stacks."""
    history = []
    for _ in range(turns):
        experience.collect(Marking())
        history.append([])
        for stack in experience.batches():
            stacks += 1
            history[-1].append(stack)
            marks = names(stack)[:, :, 1:, None] + np.float32(0.5 + 0.25 * stacks)
            experience.write_back({"mark": marks}, np.zeros(len(marks)))
    return history


def test_a_run_that_lost_its_replay_collects_anew_before_it_learns(tmp_path: Path):
    """Batches were asked for of rows that are gone."""
    about = {"method": "m", "environment": "e", "size": "s", "seed": 0, "config": {}, "steps": 100}
    with Run.create(tmp_path / "run", about) as run, begun() as experience:
        experience.restore(run, {})
        assert learn(experience, 8)[-1]
        experience.save(run, {})
    for chunk in (tmp_path / "run" / "replay").glob("*.safetensors"):
        chunk.write_bytes(b"damaged")
    with Run.open(tmp_path / "run") as run, begun() as experience:
        experience.restore(run, {})
        history = [len(turn) for turn in learn(experience, 8)]
        assert experience.troubles == {"skipped": 0, "failures": 0, "mended": 0}
    assert history[0] == 0
    assert history[-1] > 0


def test_episodes_and_steps():
    """Counter pays 1, 2, 3, 4 and ends; the reset is a turn without a simulator step."""
    with begun(replace(CONFIG, train_ratio=0.0)) as experience:
        ended = [experience.collect(Marking()) for _ in range(9)]
        assert experience.steps == 2 * 8
    assert [len(turn) for turn in ended] == [0, 0, 0, 2, 0, 0, 0, 0, 2]
    assert {(episode.score, episode.length) for turn in ended for episode in turn} == {(10.0, 4)}


def test_another_seed_is_another_experience():
    with begun(seed=0) as one, begun(seed=1) as other:
        histories = [learn(experience, 8)[-1][0] for experience in (one, other)]
    assert not np.array_equal(*map(names, histories))


@pytest.mark.parametrize("limit", [{"capacity": 20}, {"gibibytes": 4.5e-6}], ids=["steps", "memory"])
def test_the_smaller_limit_of_the_replay_holds(limit):
    with begun(replace(CONFIG, **limit)) as experience:
        expected = limit.get("capacity") or steps_in(4.5e-6, experience.spaces, LATENTS, streams=2, lag=experience._lag)
        assert expected < CONFIG.capacity
        learn(experience, 30)
        assert len(experience._replay) == expected // 2 * 2 - 2 * LENGTH


@pytest.mark.parametrize(("limit", "remedy"), [({"capacity": 5}, "capacity"), ({"gibibytes": 1e-9}, "gibibytes")])
def test_a_replay_that_never_holds_a_batch_is_refused(limit, remedy):
    with pytest.raises(UserError, match=rf"need [0-9]+\. Raise --config\.experience\.{remedy}"):
        begun(replace(CONFIG, **limit))


@pytest.mark.parametrize(
    "change", [{"owed": "x"}, {"taken": None}, {"asked": [10**9]}, {"asked": "x"}, {"acts": -1}], ids=str
)
def test_counters_of_something_else_are_refused(tmp_path: Path, change):
    about = {"method": "m", "environment": "e", "size": "s", "seed": 0, "config": {}, "steps": 100}
    with Run.create(tmp_path / "run", about) as run, begun() as experience:
        experience.restore(run, {})
        learn(experience, 8)
        save = run.save
        run.save = lambda step, state, counters, *rest: save(step, state, counters | change, *rest)
        experience.save(run, {})
    with (
        Run.open(tmp_path / "run") as run,
        begun() as experience,
        pytest.raises(UserError, match="does not say how far the collecting was"),
    ):
        experience.restore(run, {})


def test_acting_has_a_memory_and_a_key_for_each_environment():
    acting = Acting(Marking(), 50, remember, key=KEY)
    shown = np.stack([np.arange(50), np.zeros(50), np.zeros(50)], -1).astype(np.float32)
    row = Step({"observation": shown}, np.zeros(50), np.zeros(50, bool), np.zeros(50, bool), np.ones(50, bool))
    first, latents = acting(Marking(), row)
    second, _ = acting(Marking(), row)
    np.testing.assert_array_equal(latents["mark"][:, 0], 10.0 * np.arange(50))
    assert set(first.ravel().tolist()) == {0, 1, 2}
    assert not np.array_equal(first, second)
    assert acting.memory["seen"].tolist() == [2] * 50
    acting.acts = 0
    np.testing.assert_array_equal(acting(Marking(), row)[0], first)


@pytest.mark.parametrize(
    "wrong",
    [
        {"environments": 0},
        {"workers": -1},
        {"train_ratio": -1.0},
        {"capacity": 0},
        {"gibibytes": math.nan},
        {"train_ratio": math.inf},
        {"train_ratio": 1e-9},
        {"updates_per_episode": -1},
        {"prefill": -1},
        {"pretrain": 0},
    ],
    ids=str,
)
def test_impossible_settings(wrong):
    field, value = next(iter(wrong.items()))
    with pytest.raises(ValueError, match=rf"ExperienceConfig.{field} must be .*got {value}"):
        ExperienceConfig(**wrong)
