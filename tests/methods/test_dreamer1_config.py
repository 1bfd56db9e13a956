from dataclasses import replace

import pytest

from reverie.envs.config import EnvironmentConfig
from reverie.methods.dreamer1_config import SIZES, Config, options


def test_the_paper_s_numbers():
    """Sections 3.1 to 3.4 of the sheet; 100 updates of 50 x 50 rows per 1,000 simulator steps of repeat 2."""
    paper, choices = SIZES["paper"], SIZES["paper-choices"]
    assert paper == Config()
    assert (paper.rssm.stoch, paper.rssm.deter, paper.rssm.hidden, paper.depth, paper.units) == (30, 200, 200, 32, 400)
    assert (paper.batch, paper.length, paper.horizon, paper.discount, paper.lambda_) == (50, 50, 15, 0.99, 0.95)
    assert (paper.learning_rate, paper.actor_rate, paper.critic_rate) == (6e-4, 8e-5, 8e-5)
    assert (paper.free_nats, paper.noise, paper.repeat, paper.gradient_clip) == (3.0, 0.3, 2, 100.0)
    assert paper.experience.train_ratio == 100 * 50 * 50 / (1000 / 2)
    assert paper.experience.prefill == 5 * 1000 / 2
    assert (choices.horizon, choices.kl_scale, choices.squash_rewards, choices.continue_scale) == (10, 0.1, True, 10.0)
    assert (choices.noise, choices.last_noise, choices.noise_updates) == (0.4, 0.1, 200_000)


def test_the_repeat_is_the_size_s_where_no_other_is_asked_for():
    asked = options("e", EnvironmentConfig(repeat=4), SIZES["paper"])
    assert (asked.repeat, options("e", EnvironmentConfig(), SIZES["paper"]).repeat) == (4, 2)
    assert options("e", EnvironmentConfig(), SIZES["nano"]) == EnvironmentConfig()


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"batch": 0}, "batch must be at least 1, got 0"),
        ({"horizon": 1}, "horizon must be at least 2, got 1"),
        ({"discount": 1.5}, "discount must be from 0 to 1, got 1.5"),
        ({"noise": -0.1}, "noise must be at least 0"),
    ],
)
def test_impossible_configs(wrong, complaint):
    with pytest.raises(ValueError, match=complaint):
        replace(SIZES["nano"], **wrong)
