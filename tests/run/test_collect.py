"""What is collected is what happened, and a collector put back goes on as if nothing had been."""

import numpy as np
import pytest

from reverie.data.replay import Replay
from reverie.envs.pool import Pool
from reverie.run.collect import Collector
from reverie.types import Step

COUNT = 2


def collector(capacity: int = 1000) -> Collector:
    pool = Pool("CartPole-v1", count=COUNT, seed=3)
    latents = {"memory": ((1,), "float32")}
    replay = Replay(pool.spaces, latents, streams=COUNT, length=3, capacity=capacity, seed=0, online=False)
    return Collector(pool, replay)


def act(row: Step) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """A reflex; the latents say what was seen."""
    state = next(iter(row.observation.values()))
    return (state[:, 2:3] > 0).astype(np.int32), {"memory": state[:, :1]}


def constant(_: Step) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    return np.ones((COUNT, 1), np.int32), {"memory": np.zeros((COUNT, 1), np.float32)}


def everything(of: Collector) -> dict[str, np.ndarray]:
    return of._replay._rows.used(of._replay.inserted) | of._replay._latents.used(of._replay.inserted)


def test_rows_scores_and_steps_agree() -> None:
    agent = collector()
    episodes = [episode for _ in range(60) for episode in agent.step(constant)]
    assert len(episodes) > 4
    rows = everything(agent)
    pending = agent._pool.last
    assert pending is not None
    reward = np.concatenate([rows["reward"], pending.reward]).reshape(-1, COUNT)
    last = np.concatenate([rows["terminated"], pending.terminated]).reshape(-1, COUNT)
    first = np.concatenate([rows["is_first"], pending.is_first]).reshape(-1, COUNT)
    assert agent.steps == (~first[:61]).sum()
    assert sum(episode.length for episode in episodes) == sum(
        np.flatnonzero(last[:, slot])[-1] + 1 - last[:, slot].sum() for slot in range(COUNT)
    )
    assert sum(episode.score for episode in episodes) == pytest.approx(
        sum(reward[: np.flatnonzero(last[:, slot])[-1] + 1, slot].sum() for slot in range(COUNT))
    )


def test_the_action_of_a_last_row_is_zero() -> None:
    agent = collector()
    for _ in range(40):
        agent.step(constant)
    rows = everything(agent)
    np.testing.assert_array_equal(rows["action"][:, 0] == 0, rows["terminated"])
    assert rows["terminated"].any()


@pytest.mark.parametrize("steps", [0, 1, 33])
def test_restored_equals_unbroken(steps: int) -> None:
    unbroken, broken = collector(), collector()
    for agent in (unbroken, broken):
        for _ in range(steps):
            agent.step(act)
    state = {name: np.array(values) for name, values in broken.state().items()}
    again = collector()
    assert again.restore(state) == []
    assert again.steps == broken.steps
    before = unbroken._replay.inserted
    ended = [[agent.step(act) for _ in range(40)] for agent in (unbroken, again)]
    assert ended[0] == ended[1]
    for name, values in everything(again).items():
        np.testing.assert_array_equal(values, everything(unbroken)[name][before:])
