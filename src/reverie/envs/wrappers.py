"""What is put around a Gymnasium environment, from the inside out: `TimeLimit` (Gymnasium's own), `Repeat`, `Pixels`.

Each keeps the two ends of an episode apart: `terminated` is the world's, `truncated` is the clock's.
"""

from typing import Any

import gymnasium
import numpy as np

from reverie.envs.leaves import resize
from reverie.errors import UserError

Env = gymnasium.Env[Any, Any]


class Repeat(gymnasium.Wrapper[Any, Any, Any, Any]):
    """The same action for several simulator steps; rewards are summed, and an end cuts the repetition short."""

    def __init__(self, env: Env, times: int) -> None:
        super().__init__(env)
        self.times = times

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        total = 0.0
        for _ in range(self.times):
            observation, reward, terminated, truncated, info = self.env.step(action)
            total += float(reward)
            if terminated or truncated:
                break
        return observation, total, terminated, truncated, info


class Pixels(gymnasium.Wrapper[Any, Any, Any, Any]):
    """The rendered picture, called `image`, instead of the environment's own observation.

    Args:
        env: an environment with `render_mode="rgb_array"`.
        side: the picture is resized to a square of this many pixels; 0 leaves it.
    """

    def __init__(self, env: Env, side: int) -> None:
        super().__init__(env)
        self.side = side
        env.reset(seed=0)
        picture = self._picture()
        self.observation_space = gymnasium.spaces.Dict(image=gymnasium.spaces.Box(0, 255, picture.shape, np.uint8))

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        _, info = self.env.reset(seed=seed, options=options)
        return {"image": self._picture()}, info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        _, reward, terminated, truncated, info = self.env.step(action)
        return {"image": self._picture()}, reward, terminated, truncated, info

    def _picture(self) -> np.ndarray:
        picture = picture_of(self.env)
        return resize(picture, self.side) if self.side and picture.shape[:2] != (self.side, self.side) else picture


def picture_of(env: Env) -> np.ndarray:
    """What `env.render()` shows, as uint8 (height, width, 3)."""
    try:
        picture = env.render()
    except NotImplementedError:  # what Gymnasium's base class does
        picture = None
    if not isinstance(picture, np.ndarray) or picture.ndim != 3 or picture.shape[2] != 3:
        raise UserError(
            f"{env} does not render a picture: render() gave {type(picture).__name__}. Needed: an array "
            '(height, width, 3) from an environment made with render_mode="rgb_array". Or observe its state: no pixels.'
        )
    return np.ascontiguousarray(picture, dtype=np.uint8)
