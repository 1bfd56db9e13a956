"""A policy that filters what it sees with a world model and plans ahead in its imagination, anew in every step.

PlaNet, arXiv 1811.04551, algorithm 2, with any planner, any model and any heads:

    s_t ~ q(s_t | s_{t-1}, a_{t-1}, o_t);   a_t is the first action of the plan a_0 ... a_{H-1} that is worth most:

    worth = r_1 + d_1 (r_2 + d_2 (... r_H + d_H v_H)),   d_t = discount c_t

r_t, c_t and v_t are heads at s_t, imagined from s_{t-1} and a_{t-1} with dice of the plan's own. A model without a
continuation head has c = 1; without `value`, v = 0: nothing beyond the horizon counts. The reward met on arriving at
an end counts, what would come after it does not: c is small there. That the present state is none is known.
Elsewhere: the planners; which action to take without planning (`choose` of the run's own policy, for proposals).
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from reverie.behaviours.noise import noisy
from reverie.behaviours.planner_config import PlannerConfig, PlanningConfig, configured
from reverie.behaviours.planners import PLANNERS, Planned, action_of, middle, shift, shift_plan, uniform
from reverie.errors import UserError
from reverie.maths.distributions import action_vector
from reverie.maths.returns import lambda_return
from reverie.protocol import AbstractPolicy, AbstractWorldModel, Trained
from reverie.rollout import Choose, filter_step, foresee, rollout_policy
from reverie.types import ArraySpec

Heads = dict[str, Callable[[Any], Any]]


class Memory(eqx.Module):
    """What the policy carries: its belief, the action that leads out of it, and the plan that this was the first of."""

    state: Any
    action: Float[Array, "*batch action"]
    mean: Float[Array, "*batch horizon action"]
    kept: Float[Array, "*batch candidate horizon action"]


class PlanningPolicy(AbstractPolicy[Memory]):
    """The world model's filter and a planner; made by `planning`."""

    model: AbstractWorldModel[Any]
    heads: Heads
    """`reward`, and where plans are judged by them, `continue` and `value`."""
    proposer: AbstractPolicy[Any] | None
    """What makes proposals: a policy that has `choose`."""
    spec: ArraySpec = eqx.field(static=True)
    planner: Callable[..., Planned] = eqx.field(static=True)
    settings: PlannerConfig = eqx.field(static=True)
    config: PlanningConfig = eqx.field(static=True)
    see: Callable[..., dict[str, Array]] | None = None
    """`see(observation, key)`: what an observation goes through first, where the run's own policy has such a thing."""

    def initial(self) -> Memory:
        mean = middle(self.spec, self.config.horizon)
        kept = jnp.zeros((self.settings.kept, *mean.shape))
        return Memory(self.model.initial(), jnp.zeros(self.spec.width), mean, kept)

    def act(
        self, carry: Memory, observation: dict[str, Array], is_first: Bool[Array, ""], *, key: PRNGKeyArray
    ) -> tuple[Array, Memory]:
        filter_key, fresh_key, propose_key, plan_key, noise_key = jr.split(key, 5)
        if self.see is not None:
            see_key, filter_key = jr.split(filter_key)
            observation = self.see(observation, key=see_key)
        encoded = self.model.encode(observation)
        state = filter_step(self.model, carry.state, carry.action, encoded, is_first, key=filter_key)
        fresh = middle(self.spec, self.config.horizon), uniform(self.spec, carry.kept.shape, key=fresh_key)
        shifted = shift(self.spec, carry.mean), jax.vmap(shift_plan)(carry.kept)
        anew = is_first | (not self.config.warm)
        start, kept = jax.tree.map(partial(jnp.where, anew), fresh, shifted)
        planned, vector = self._decide(state, start, kept, propose_key, plan_key, noise_key)
        return action_of(self.spec, vector), Memory(state, vector, planned.mean, planned.kept)

    def choose(self, state: Any, key: PRNGKeyArray) -> tuple[Array, Float[Array, "action"]]:
        """The action to take in a state, seen or imagined, and the same as a vector; planned from nothing."""
        start, none = middle(self.spec, self.config.horizon), jnp.zeros((0, self.config.horizon, self.spec.width))
        _, vector = self._decide(state, start, none, *jr.split(key, 3))
        return action_of(self.spec, vector), vector

    def _decide(
        self, state: Any, start: Array, kept: Array, propose_key: Any, plan_key: Any, noise_key: Any
    ) -> tuple[Planned, Array]:
        proposals = jnp.concatenate([kept, self.propose(state, key=propose_key)])
        score = lambda plan, key: self.worth(state, plan, key=key)
        planned = self.planner(score, self.spec, start, self.settings, proposals=proposals, key=plan_key)
        return planned, disturbed(self.spec, planned.plan[0], self.config.noise, key=noise_key)

    def worth(self, state: Any, plan: Float[Array, "horizon action"], *, key: PRNGKeyArray) -> Float[Array, ""]:
        """What a plan is worth from a state on."""
        return imagined_return(self.model, self.heads, state, plan, discount=self.config.discount, key=key)

    def propose(self, state: Any, *, key: PRNGKeyArray) -> Float[Array, "candidate horizon action"]:
        """Plans that the run's own policy makes in its dreams from a state on."""
        if self.proposer is None:
            return jnp.zeros((0, self.config.horizon, self.spec.width))
        act: Choose = self.proposer.choose  # pyright: ignore[reportAttributeAccessIssue]

        def choose(state: Any, key: PRNGKeyArray) -> tuple[Array, Array]:
            vector = jnp.clip(act(state, key)[1], -1, 1)
            return vector, vector

        dream = lambda key: rollout_policy(self.model, state, choose, self.config.horizon, key=key)[1]
        return jax.vmap(dream)(jr.split(key, self.config.proposals))


def imagined_return(
    model: AbstractWorldModel[Any],
    heads: Heads,
    state: Any,
    plan: Float[Array, "horizon action"],
    *,
    discount: float = 1.0,
    key: PRNGKeyArray,
) -> Float[Array, ""]:
    """r_1 + d_1 (r_2 + ... d_H v_H) along a plan; see above.

    Args:
        model: that imagines.
        heads: `reward`; `continue` and `value`, if they are to count.
        state: s_0.
        plan: a_0 ... a_{H-1}.
        discount: of every step, on top of `continue`.
        key: of the model's dice.
    """
    goes_on = heads.get("continue", lambda _: jnp.ones(()))
    read = lambda state: (heads["reward"](state), discount * goes_on(state))
    last, (rewards, discounts) = foresee(model, state, plan, read, key=key)
    values = jnp.zeros_like(rewards)
    if "value" in heads:
        values = values.at[-1].set(heads["value"](last))
    return lambda_return(rewards, discounts, values, 1.0)[0]


def disturbed(
    spec: ArraySpec, vector: Float[Array, "action"], noise: float, *, key: PRNGKeyArray
) -> Float[Array, "action"]:
    """With noise: numbers moved and clipped (PlaNet: by 0.3), every choice drawn anew with that probability."""
    if not noise:
        return vector
    return action_vector(spec, noisy(spec, action_of(spec, vector), jnp.asarray(noise), key=key))


def planning(trained: Trained, planner: str, **numbers: Any) -> PlanningPolicy:
    """The policy that plans with what a run has learned; `UserError` where that does not suffice.

    Args:
        trained: the run's model, heads and policy.
        planner: one of `PLANNERS`.
        numbers: of `PlanningConfig` and of the planner's own settings, by name.
    """
    config, settings = configured(planner, **numbers)
    has = f"it has {', '.join(trained.heads) or 'none'}"
    if "reward" not in trained.heads:
        raise UserError(
            "a plan is judged by the rewards that it is imagined to bring, and this run's model has no head for "
            f"reward; {has}. A vmc that learns one is trained with --dream or --config.rewards."
        )
    if config.value and "value" not in trained.heads:
        raise UserError(f"this run's model has no head for value; {has}. Plan without --value, over more steps.")
    if config.proposals and not hasattr(trained.policy, "choose"):
        raise UserError("this run's policy cannot act in a dream, so it proposes no plans: leave out --proposals.")
    names = ["reward", *(["continue"] if "continue" in trained.heads else []), *(["value"] if config.value else [])]
    heads = {name: trained.heads[name] for name in names}
    how = trained.spaces.action, PLANNERS[planner], settings, config, getattr(trained.policy, "see", None)
    return PlanningPolicy(trained.model, heads, trained.policy if config.proposals else None, *how)
