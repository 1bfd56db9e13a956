import numpy as np
import pytest

from reverie.envs.make import make

NAMES = ["CartPole-v1", "Pendulum-v1", "MountainCar-v0", "MountainCarContinuous-v0", "Acrobot-v1"]


@pytest.mark.parametrize("name", NAMES)
def test_a_state_is_drawn_as_the_simulator_renders_it(name: str) -> None:
    environment = make(name, render=True)
    row = environment.reset(1)
    rendered = environment.render()
    drawn = environment.draw(row.observation)
    assert drawn is not None
    assert np.abs(drawn.astype(int) - rendered).mean() < 0.5
    environment.close()


@pytest.mark.parametrize("name", NAMES)
def test_drawing_shows_what_it_is_given_and_leaves_the_episode_alone(name: str) -> None:
    environment = make(name)
    spec = environment.spaces.action
    action = np.zeros(spec.shape, spec.dtype)
    rows = [environment.reset(1)] + [environment.step(action) for _ in range(8)]
    first, last = environment.draw(rows[0].observation), environment.draw(rows[-1].observation)
    assert (first != last).any()
    twin = make(name)
    twin.reset(1)
    for _ in range(8):
        twin.step(action)
    np.testing.assert_equal(environment.step(action), twin.step(action))


@pytest.mark.parametrize("name", NAMES)
def test_every_number_has_a_name(name: str) -> None:
    spec = make(name).spaces.observation["observation"]
    assert len(spec.labels) == spec.shape[0]


def test_actions_have_names() -> None:
    assert make("CartPole-v1").spaces.action.labels == ("left", "right")
