import pytest
from envs.installed import assert_a_seed_decides, needs

from reverie.envs.make import make

pytestmark = needs("Box2D", "box2d")


@pytest.mark.parametrize(("name", "steps"), [("LunarLander-v3", 60), ("BipedalWalker-v3", 60), ("CarRacing-v3", 4)])
def test_a_seed_decides_whatever_was_played_before(name: str, steps: int) -> None:
    assert_a_seed_decides(name, steps=steps)


def test_the_track_is_seen_at_the_size_asked_for() -> None:
    environment = make("CarRacing-v3")
    assert environment.spaces.observation["observation"].shape == (64, 64, 3)
    environment.close()
