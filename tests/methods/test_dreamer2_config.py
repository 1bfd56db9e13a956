from dataclasses import replace

import pytest

from reverie.envs.config import EnvironmentConfig
from reverie.methods.dreamer2_config import SIZES, Config, options


def test_the_paper_s_numbers():
    """Section 4.4 of the sheet: the authors' code for Atari, control from pixels and Crafter."""
    atari, control, crafter = SIZES["paper"], SIZES["paper-control"], SIZES["paper-crafter"]
    assert atari == Config()
    assert [size.rssm.deter for size in (atari, control, crafter)] == [600, 200, 1024]
    assert {(size.rssm.stoch, size.rssm.classes, size.batch, size.length) for size in (atari, control, crafter)} == {
        (32, 32, 16, 50)
    }
    assert [size.experience.train_ratio for size in (atari, control, crafter)] == [800 / 16, 800 / 5, 800 / 5]
    assert [size.experience.prefill for size in (atari, control, crafter)] == [50_000, 1000, 10_000]
    assert [size.experience.pretrain for size in (atari, control, crafter)] == [1, 100, 1]
    assert [size.discount for size in (atari, control, crafter)] == [0.999, 0.99, 0.999]
    rates = [(size.learning_rate, size.actor_rate, size.critic_rate) for size in (atari, control, crafter)]
    assert rates == [(2e-4, 4e-5, 1e-4), (3e-4, 8e-5, 8e-5), (1e-4, 1e-4, 1e-4)]
    assert [(size.kl_scale, size.free_nats) for size in (atari, control, crafter)] == [(0.1, 0), (1, 1), (0.1, 0)]
    assert [size.entropy for size in (atari, control, crafter)] == [1e-3, 1e-4, 3e-3]
    assert [size.continue_scale for size in (atari, control, crafter)] == [5, 0, 5]
    assert [size.repeat for size in (atari, control, crafter)] == [0, 2, 0]
    assert [size.norm for size in (atari, control, crafter)] == [False, False, True]


def test_the_repeat_is_the_size_s_where_no_other_is_asked_for():
    asked = options("e", EnvironmentConfig(repeat=4), SIZES["paper-control"])
    assert (asked.repeat, options("e", EnvironmentConfig(), SIZES["paper-control"]).repeat) == (4, 2)


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"batch": 0}, "batch must be at least 1, got 0"),
        ({"length": 1}, "length must be at least 2, got 1"),
        ({"kl_balance": 1.5}, "kl_balance must be from 0 to 1, got 1.5"),
        ({"reinforce": -2.0}, "reinforce must be from -1 to 1, got -2"),
    ],
)
def test_impossible_configs(wrong, complaint):
    with pytest.raises(ValueError, match=complaint):
        replace(SIZES["nano"], **wrong)
