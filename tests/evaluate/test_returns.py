import numpy as np
import pytest

from reverie.envs.config import EnvironmentConfig
from reverie.envs.make import make
from reverie.errors import UserError
from reverie.evaluate.returns import Returns, _world_seed, bootstrap, evaluate, play, record


def natural_length(world, seed):
    world.reset(seed)
    length = 1
    while not world.step(np.zeros(1, np.int32)).terminated:
        length += 1
    return length


def test_every_episode_counts_once_whatever_runs_beside_it(gambler, lasting):
    alone = evaluate(gambler, lasting, episodes=13, seed=3, slots=1)
    together = evaluate(gambler, lasting, episodes=13, seed=3, slots=5)
    crowd = evaluate(gambler, lasting, episodes=13, seed=3, slots=99)
    assert alone == together == crowd
    assert alone.n == 13
    assert alone.complete


def test_short_episodes_are_not_preferred(gambler, lasting):
    result = evaluate(gambler, lasting, episodes=13, seed=3, slots=5)
    world = make(lasting)
    expected = tuple(natural_length(world, _world_seed(3, episode)) for episode in range(13))
    assert result.lengths == expected
    assert min(expected) < max(expected) / 3


def test_more_episodes_begin_with_the_same_ones(gambler, lasting):
    few, more = (evaluate(gambler, lasting, episodes=count, seed=0).returns for count in (4, 9))
    assert more[:4] == few
    assert evaluate(gambler, lasting, episodes=4, seed=1).returns != few


def test_statistics_are_those_of_the_episodes(gambler, lasting):
    result = evaluate(gambler, lasting, episodes=9, seed=0)
    assert result.mean == pytest.approx(sum(result.returns) / 9)
    assert result.std == pytest.approx(np.std(result.returns))
    low, high = result.confidence
    assert min(result.returns) < low < result.mean < high < max(result.returns)
    assert result.to_json()["episodes"] == 9
    assert result.to_json()["mean"] == result.mean


def test_the_interval_covers_the_mean_as_often_as_it_says():
    random = np.random.default_rng(0)
    intervals = [bootstrap(random.normal(3, 2, 40), seed=seed, resamples=400) for seed in range(300)]
    covered = np.mean([low < 3 < high for low, high in intervals])
    assert 0.88 < covered < 0.98
    assert bootstrap(np.full(5, 7.0), seed=0) == (7.0, 7.0)
    assert np.isnan(bootstrap(np.zeros(0), seed=0)).all()


def test_stopping_keeps_whole_episodes_only(gambler, lasting):
    left = iter(range(60))
    result = evaluate(gambler, lasting, episodes=30, seed=0, slots=4, stop=lambda: next(left, None) is None)
    assert 0 < result.n < 30
    assert not result.complete
    whole = evaluate(gambler, lasting, episodes=30, seed=0, slots=4)
    assert set(zip(result.returns, result.lengths, strict=True)) <= set(zip(whole.returns, whole.lengths, strict=True))


def test_nothing_played_has_no_mean():
    assert np.isnan(Returns((), (), 3, (float("nan"), float("nan"))).mean)


def test_rows_of_an_episode_are_as_time_is_drawn(gambler, lasting):
    rows = [row for row in play(gambler.policy, [make(lasting), make(lasting)], range(5), seed=1) if row.episode == 4]
    first = [bool(row.step.is_first) for row in rows]
    assert first == [True] + [False] * (len(rows) - 1)
    assert [row.step.observation["observation"][0] for row in rows] == list(range(len(rows)))
    rewards = [float(row.step.reward) for row in rows]
    assert rewards == [0.0, *(1.0 + row.action[0] for row in rows[:-1])]  # an action is rewarded in the row after it
    assert rows[-1].action.tolist() == [0]
    assert [bool(row.step.terminated) for row in rows] == [False] * (len(rows) - 1) + [True]


def test_a_recording_is_the_same_episode_with_its_pictures(gambler, lasting):
    result = evaluate(gambler, lasting, episodes=4, seed=5)
    recording = record(gambler, lasting, episode=3, seed=5)
    sequence = recording.sequence
    assert sequence.reward.sum() == pytest.approx(result.returns[3])
    assert len(sequence.reward) == result.lengths[3] + 1
    assert recording.frames is not None
    assert recording.frames[:, 0, 0, 0].tolist() == list(range(len(sequence.reward)))
    assert recording.fps == 10.0
    assert sequence.is_first.tolist() == [True] + [False] * result.lengths[3]
    assert sequence.is_last.tolist() == [False] * result.lengths[3] + [True]


def test_a_recording_that_is_cut_says_so_in_its_last_row(balancer):
    recording = record(balancer, "CartPole-v1", rows=8, render=False)
    assert recording.frames is None
    assert recording.sequence.action.shape == (8, 1)
    assert recording.sequence.truncated.tolist() == [False] * 7 + [True]
    assert recording.sequence.action[-1] == 0


def test_the_agent_balances_the_pole(balancer):
    result = evaluate(balancer, "CartPole-v1", EnvironmentConfig(time_limit=60), episodes=3)
    assert result.returns == (60.0, 60.0, 60.0)


def test_the_wrong_world_is_refused(gambler):
    with pytest.raises(UserError, match="cannot act in CartPole-v1: it was trained on"):
        evaluate(gambler, "CartPole-v1", episodes=1)


def test_no_episodes_are_refused(gambler, lasting):
    with pytest.raises(ValueError, match="episodes >= 1, got 0"):
        evaluate(gambler, lasting, episodes=0)


def test_worlds_are_closed(gambler, lasting):
    closed = []

    class Watched(lasting):
        def close(self):
            closed.append(self)

    evaluate(gambler, Watched, episodes=3, slots=2)
    assert len(closed) == 2
