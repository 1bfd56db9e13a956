"""How long a trained agent takes to act: from numpy observations to numpy actions, for one environment and for 16."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from benchmarks.measure import interleave
from benchmarks.update import OBSERVATIONS, spaces
from reverie.methods.dreamer3 import SIZES, Config, build, policy

COUNTS = (1, 16)


class Acting:
    """A policy in `count` environments; each call is one step of all of them."""

    def __init__(self, config: Config, observation: str, count: int) -> None:
        self._policy = policy(build(spaces(observation), config, key=jr.key(0)))
        self._memory = jax.tree.map(lambda leaf: jnp.stack([leaf] * count), self._policy.initial())
        spec = OBSERVATIONS[observation]
        self._seen = {observation: np.ones((count, *spec.shape), spec.dtype)}
        self._is_first, self._key = np.zeros(count, bool), jr.key(0)

    def __call__(self) -> Any:
        action, self._memory = _act(self._policy, self._memory, self._seen, self._is_first, self._key)
        return np.asarray(action)


@eqx.filter_jit
def _act(acting: Any, memory: Any, seen: Any, is_first: Any, key: Any) -> Any:
    keys = jr.split(key, len(is_first))
    act = lambda memory, seen, is_first, key: acting.act(memory, seen, is_first, key=key)
    return jax.vmap(act)(memory, seen, is_first, keys)


def measure(*, sizes: list[str], repetitions: int) -> dict[str, Any]:
    answer = {}
    for size in sizes:
        for observation in OBSERVATIONS:
            acting = {f"{count} environments": Acting(SIZES[size], observation, count) for count in COUNTS}
            answer[f"{size} {observation}"] = interleave(acting, 20 * repetitions)
    return answer
