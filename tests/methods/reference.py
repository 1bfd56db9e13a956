"""What the reference implementation of DreamerV3 computed (danijar/dreamerv3, e3f0224), and our model with its weights.

The archives in `tests/fixtures` hold a tiny network with random values in every parameter, random inputs, and what the
reference answers, for 3 discrete actions and for 2 continuous ones. Batch 2, time 6, horizon 4; deter 32, hidden 8, 4
categoricals of 4 classes; images 16x16x3, a vector of 5, a token of 3.

`Reference.model` maps names by RULES; the reference's `kernel` is our `weight`, in the same layout. A continuous
actor's mean and standard deviation are one layer of ours, side by side.
"""

import re
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from reverie.behaviours.actor_critic import Actor, Critic
from reverie.methods import dreamer3
from reverie.models.rssm import RSSMConfig
from reverie.types import ArraySpec, Spaces

CONFIG = dreamer3.Config(
    rssm=RSSMConfig(deter=32, hidden=8, stoch=4, classes=4), depth=4, multipliers=(2, 4), units=8,
    batch=2, length=6, horizon=4, dtype="float32",
)  # fmt: skip
OBSERVATION = {
    "image": ArraySpec("image", (16, 16, 3)),
    "vector": ArraySpec("vector", (5,)),
    "token": ArraySpec("discrete", (1,), (3,)),
}
ACTION = {"discrete": ArraySpec("discrete", (1,), (3,)), "continuous": ArraySpec("continuous", (2,))}
KINDS = tuple(ACTION)


RULES = (
    (r"world.encoder.mlp.layers.(\d).linear", r"enc/mlp\1"),
    (r"world.encoder.mlp.layers.(\d).norm", r"enc/mlp\1norm"),
    (r"world.encoder.image.convolutions.(\d)", r"enc/cnn\1"),
    (r"world.encoder.image.norms.(\d)", r"enc/cnn\1norm"),
    (r"world.cell.embeddings.(\d).linear", r"dyn/dynin\1"),
    (r"world.cell.embeddings.(\d).norm", r"dyn/dynin\1norm"),
    (r"world.cell.mix", r"dyn/dynhid0"),
    (r"world.cell.norm", r"dyn/dynhid0norm"),
    (r"world.cell.gates", r"dyn/dyngru"),
    (r"world.prior.mlp.layers.(\d).linear", r"dyn/prior\1"),
    (r"world.prior.mlp.layers.(\d).norm", r"dyn/prior\1norm"),
    (r"world.prior.out", r"dyn/priorlogit"),
    (r"world.posterior.mlp.layers.(\d).linear", r"dyn/obs\1"),
    (r"world.posterior.mlp.layers.(\d).norm", r"dyn/obs\1norm"),
    (r"world.posterior.out", r"dyn/obslogit"),
    (r"decoder.mlp.layers.(\d).(linear|norm)", r"dec/mlp/\2\1"),
    (r"decoder.vectors.token", r"dec/vec/token/logits"),
    (r"decoder.vectors.vector", r"dec/vec/vector/pred"),
    (r"decoder.image.from_deter", r"dec/sp0"),
    (r"decoder.image.hidden.linear", r"dec/sp1"),
    (r"decoder.image.hidden.norm", r"dec/sp1norm"),
    (r"decoder.image.from_hidden", r"dec/sp2"),
    (r"decoder.image.norm", r"dec/spnorm"),
    (r"decoder.image.convolutions.0", r"dec/conv0"),
    (r"decoder.image.convolutions.1", r"dec/imgout"),
    (r"decoder.image.norms.0", r"dec/conv0norm"),
    (r"(reward|critic.head|slow.head).mlp.layers.(\d).(linear|norm)", r"\1/mlp/\3\2"),
    (r"(reward|critic.head|slow.head).out", r"\1/head/logits"),
    (r"continue_.mlp.layers.(\d).(linear|norm)", r"con/mlp/\2\1"),
    (r"continue_.out", r"con/head/logit"),
    (r"actor.head.mlp.layers.(\d).(linear|norm)", r"pol/mlp/\2\1"),
    (r"actor.head.out", r"pol/head/action/logits"),
)
SHORT = {"reward": "rew", "critic.head": "val", "slow.head": "slowval"}


class Reference:
    """One archive: `reference["imagine/deter"]`, its inputs in our form, and our model with its parameters."""

    def __init__(self, kind: str) -> None:
        file = Path(__file__).parents[1] / "fixtures" / f"dreamer3_{kind}.npz"
        with np.load(file, allow_pickle=False) as archive:
            self.arrays = {name: archive[name] for name in archive.files}
        for leaf in ("kernel", "bias"):
            mean, std = (self.arrays.get(f"parameter/pol/head/action/{part}/{leaf}") for part in ("mean", "stddev"))
            if mean is not None:
                self.arrays[f"parameter/pol/head/action/logits/{leaf}"] = np.concatenate([mean, std], axis=-1)
        self.spaces = Spaces(OBSERVATION, ACTION[kind])

    def __getitem__(self, name: str) -> jax.Array:
        return jnp.asarray(self.arrays[name])

    def action(self, name: str) -> jax.Array:
        """Actions in our form: a discrete one is an array of one choice."""
        return self[name][..., None] if self.spaces.action.kind == "discrete" else self[name]

    def observation(self) -> dict[str, jax.Array]:
        token = self["input/token"][..., None]
        return {"image": self["input/image"], "vector": self["input/vector"], "token": token}

    def model(self) -> dreamer3.Model:
        """Our networks with the reference's parameters; its discrete actor ignores the uniform mixture, so mix is 0."""
        model = dreamer3.build(self.spaces, CONFIG, key=jax.random.key(0))
        actor = Actor(CONFIG.rssm.features, CONFIG.units, self.spaces.action, mix=0.0, key=jax.random.key(0))
        return self._fill(eqx.tree_at(lambda m: m.actor, model, actor), "")

    def slow_critic(self) -> Critic:
        return self._fill(Critic(CONFIG.rssm.features, CONFIG.units, key=jax.random.key(0)), "slow.")

    def _fill(self, module: eqx.Module, prefix: str) -> eqx.Module:
        def parameter(path: tuple, leaf: jax.Array) -> jax.Array:
            ours = prefix + jax.tree_util.keystr(path, simple=True, separator=".")
            theirs = f"parameter/{reference_name(ours)}"
            value = self[theirs]
            assert value.shape == leaf.shape, f"{ours} {leaf.shape} is not {theirs} {value.shape}"
            return value

        return jax.tree_util.tree_map_with_path(parameter, module)


def reference_name(ours: str) -> str:
    """What the reference calls a leaf of ours."""
    stem, leaf = ours.rsplit(".", 1)
    for pattern, replacement in RULES:
        if re.fullmatch(pattern, stem):
            name = re.sub(pattern, replacement, stem)
            for long, short in SHORT.items():
                name = name.replace(long, short)
            return f"{name}/{'kernel' if leaf == 'weight' else leaf}"
    raise KeyError(f"no rule maps {ours}")
