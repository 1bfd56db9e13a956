import gymnasium
import numpy as np
from envs.installed import assert_a_seed_decides, needs

from reverie.envs import grid
from reverie.envs.config import EnvironmentConfig
from reverie.envs.make import make

pytestmark = needs("minigrid", "minigrid")
NAME = "MiniGrid-DoorKey-5x5-v0"


def test_cells_are_choices_and_the_mission_is_dropped() -> None:
    environment = make(NAME)
    specs = environment.spaces.observation
    assert (specs["cells"].kind, specs["cells"].shape, specs["cells"].classes[:6]) == (
        "discrete",
        (7 * 7 * 3,),
        (11, 6, 4, 11, 6, 4),
    )
    assert (list(specs), specs["direction"].classes) == (["cells", "direction"], (4,))
    assert environment.dropped == ("mission (text)",)
    assert environment.spaces.action.labels == grid.ACTIONS


def test_there_are_as_many_kinds_as_minigrid_has() -> None:
    from minigrid.core.constants import COLOR_TO_IDX, OBJECT_TO_IDX

    assert grid.CELL[:2] == (len(OBJECT_TO_IDX), len(COLOR_TO_IDX))


def test_the_grid_of_a_callers_own_loop_is_read_too() -> None:
    environment = make(NAME)
    native, _ = gymnasium.make(NAME).reset(seed=4)
    np.testing.assert_equal(environment.observe(native), environment.reset(4).observation)
    assert environment.observe(native)["cells"].reshape(7, 7, 3).tolist() == native["image"].tolist()


def test_a_full_view_fits() -> None:
    from minigrid.wrappers import FullyObsWrapper

    native = FullyObsWrapper(gymnasium.make(NAME))
    states = {int(native.reset(seed=seed)[0]["image"][..., 2].max()) for seed in range(10)}
    assert max(states) < grid.CELL[2]


def test_a_seed_decides() -> None:
    assert_a_seed_decides(NAME)


def test_pixels_are_rendered_no_larger_than_needed() -> None:
    environment = make(NAME, EnvironmentConfig(pixels=True, size=32))
    assert environment.reset(0).observation["image"].shape == (32, 32, 3)
    assert environment.render().shape == (35, 35, 3)
