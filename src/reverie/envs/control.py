"""DeepMind's control suite: `dm_control/cartpole-swingup`, from proprioception or pixels.

Tassa et al., arXiv 1801.00690. Observations are the task's own dictionary without its empty entries, actions its
numbers; an episode is cut by the clock after 1000 steps (`truncated`) and ends by itself only where the task says so
with a discount of 0, which none of the benchmark tasks does. Action repeat 1, as in DreamerV3 of 2025. Shadows are off.
"""

import difflib
import importlib.metadata
from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np

from reverie.envs.config import EnvironmentConfig
from reverie.envs.environment import Draw, World
from reverie.envs.make import wrapped
from reverie.envs.physics import FILM, NOTHING, headless, renderer
from reverie.errors import UserError

CAMERAS = {"quadruped": 2, "rodent": 4}
LABELS = {"position": ("position", "cos angle", "sin angle"), "velocity": ("velocity", "angular velocity")}
"""Of the cartpole."""
DRAWN = ("cartpole", "cheetah", "hopper", "ball_in_cup", "point_mass")
"""Domains whose `position` says where everything is, but for how far it has run."""


def build(name: str, config: EnvironmentConfig, render: bool) -> World:
    headless(render)
    side = config.size if config.pixels and config.size else FILM
    world = wrapped(Control(name, camera=config.camera, side=side), config, limited=False)
    if config.pixels:
        return world
    labels = LABELS if name.startswith("dm_control/cartpole-") else {}
    return replace(world, labels=labels, draw=_drawing(name, config.camera))


class Control(gymnasium.Env[Any, Any]):
    """One task as a Gymnasium environment.

    Args:
        name: `dm_control/DOMAIN-TASK`.
        camera: which of the model's cameras draws; 0: the one that the papers use.
        side: of a picture.
    """

    def __init__(self, name: str, *, camera: int = 0, side: int = FILM) -> None:
        suite = _suite()
        domain, _, task = name.removeprefix("dm_control/").partition("-")
        if (domain, task) not in suite.ALL_TASKS:
            known = [f"dm_control/{domain}-{task}" for domain, task in suite.ALL_TASKS]
            near = difflib.get_close_matches(name, known, n=3, cutoff=0.3)
            raise UserError(f"There is no environment {name!r}. Nearest: {', '.join(near)}.")
        self.suite = suite.load(domain, task, task_kwargs={"random": 0})
        self.suite.physics.model.vis.quality.shadowsize = 0
        self.render_mode = "rgb_array"
        model = self.suite.physics.model
        motors = tuple(model.id2name(number, "actuator") for number in range(model.nu))
        self.metadata = {"render_modes": ["rgb_array"], "render_fps": round(1 / self.suite.control_timestep())}
        self.metadata |= {"labels": {"action": motors}} if all(motors) else {}
        self.camera, self.side = camera or CAMERAS.get(domain, 0), side
        shown: dict[str, gymnasium.Space[Any]] = {
            name: _box(np.shape(entry)) for name, entry in self.suite.observation_spec().items()
        }
        actions = self.suite.action_spec()
        self.observation_space = gymnasium.spaces.Dict(shown)
        self.action_space = gymnasium.spaces.Box(actions.minimum, actions.maximum, actions.shape, np.float64)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        super().reset(seed=seed)
        if seed is not None:
            self.suite.task._random = np.random.RandomState(seed)
        return _observation(self.suite.reset()), {}

    def step(self, action: np.ndarray) -> tuple[dict[str, np.ndarray], float, bool, bool, dict[str, Any]]:
        step = self.suite.step(action)
        terminated = step.last() and step.discount == 0
        return _observation(step), float(step.reward), terminated, step.last() and not terminated, {}

    def render(self) -> np.ndarray:
        return self.suite.physics.render(self.side, self.side, camera_id=self.camera)

    def close(self) -> None:
        self.suite.close()


def _suite() -> Any:
    """dm_control's own module; it says which MuJoCo it needs, and says it wrongly."""
    version = importlib.metadata.version("mujoco")
    if int(version.partition(".")[0]) >= 4:
        raise UserError(f'dm_control fails with MuJoCo {version}: pip install "mujoco>=3.17,<4"', code=78)
    return importlib.import_module("dm_control.suite")


def _drawing(name: str, camera: int) -> Draw:
    """Sets the positions from an observation; speeds are not seen."""
    copies: list[Control] = []

    def draw(observation: dict[str, np.ndarray]) -> np.ndarray | None:
        domain = name.removeprefix("dm_control/").partition("-")[0]
        if domain not in DRAWN or renderer() == NOTHING:
            return None
        if not copies:
            copies.append(Control(name, camera=camera))
        physics = copies[0].suite.physics
        numbers = np.asarray(observation["position"], np.float64)
        if domain == "cartpole":  # x, then the cosines and the sines of the poles, which hang on each other
            poles = (len(numbers) - 1) // 2
            angles = np.arctan2(numbers[2::2], numbers[1::2])
            numbers = np.concatenate([numbers[:1], np.diff(angles, prepend=0.0)]) if poles else numbers
        with physics.reset_context():
            physics.data.qpos[:] = np.concatenate([np.zeros(physics.model.nq - len(numbers)), numbers])
        return copies[0].render()

    return draw


def _box(shape: tuple[int, ...]) -> gymnasium.spaces.Box:
    return gymnasium.spaces.Box(-np.inf, np.inf, shape, np.float64)


def _observation(step: Any) -> dict[str, np.ndarray]:
    return {name: np.asarray(entry, np.float64) for name, entry in step.observation.items()}
