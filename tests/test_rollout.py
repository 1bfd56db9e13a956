"""Time over a model: a scan is a loop, a reset cuts all, a plan is what a policy did, jit and vmap change nothing."""

from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from reverie.protocol import AbstractWorldModel
from reverie.rollout import SMALLEST, filter, filter_step, foresee, over_time, reset, returns, rollout, rollout_policy

BATCH, TIME, STATE, ACTION, EMBED = 3, 6, 4, 2, 5
KEY = jr.key(7)
close = partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6)


class Noisy(AbstractWorldModel[dict[str, jax.Array]]):
    """s' = tanh(W [s, a]) (+ V e while filtering) + noise; the state is a dict, with its age beside it."""

    weight: jax.Array
    embed: jax.Array
    noise: float = eqx.field(static=True)

    def initial(self):
        return {"s": jnp.full(STATE, 0.5), "age": jnp.zeros((), jnp.int32)}

    def encode(self, observation):
        return observation["vector"]

    def observe(self, state, action, encoded, *, key):
        state = self.imagine(state, action, key=key)
        return state | {"s": state["s"] + self.embed @ encoded}

    def imagine(self, state, action, *, key):
        s = jnp.tanh(self.weight @ jnp.concatenate([state["s"], action])) + self.noise * jr.normal(key, (STATE,))
        return {"s": s, "age": state["age"] + 1}


@pytest.fixture(scope="module")
def model():
    return Noisy(jr.normal(jr.key(1), (STATE, STATE + ACTION)), jr.normal(jr.key(2), (STATE, EMBED)), 0.1)


@pytest.fixture(scope="module")
def quiet(model):
    """The same without noise, for what must not depend on keys."""
    return eqx.tree_at(
        lambda m: (m.weight, m.embed), Noisy(model.weight, model.embed, 0.0), (model.weight, model.embed)
    )


@pytest.fixture(scope="module")
def rows():
    """Actions, embeddings and flags [batch, time]; the second sequence begins anew at rows 0 and 3."""
    keys = jr.split(jr.key(3), 2)
    is_first = np.zeros((BATCH, TIME), bool)
    is_first[1, [0, 3]] = True
    return jr.normal(keys[0], (BATCH, TIME, ACTION)), jr.normal(keys[1], (BATCH, TIME, EMBED)), jnp.asarray(is_first)


@pytest.fixture(scope="module")
def starts(model):
    return {"s": jr.normal(jr.key(4), (BATCH, STATE)), "age": jnp.arange(BATCH, dtype=jnp.int32) + 10}


def at(tree, *index):
    return jax.tree.map(lambda x: x[index], tree)


def same(ours, theirs):
    assert jax.tree.structure(ours) == jax.tree.structure(theirs)
    jax.tree.map(close, ours, theirs)


along = eqx.filter_jit(filter)


@pytest.mark.parametrize("line", range(BATCH))
def test_filter_is_a_loop(model, rows, starts, line):
    actions, embeds, is_first = at(rows, line)
    state, looped = at(starts, line), []
    for t, key in enumerate(jr.split(KEY, TIME)):
        if is_first[t]:
            state = model.observe(model.initial(), jnp.zeros(ACTION), embeds[t], key=key)
        else:
            state = model.observe(state, actions[t], embeds[t], key=key)
        looped.append(state)
    same(
        along(model, at(starts, line), actions, embeds, is_first, key=KEY),
        jax.tree.map(lambda *x: jnp.stack(x), *looped),
    )


def test_filter_jit_is_eager(model, rows, starts):
    arguments = (model, at(starts, 1), *at(rows, 1))
    same(along(*arguments, key=KEY), filter(*arguments, key=KEY))


def test_filter_vmap_is_a_loop(model, rows, starts):
    keys = jr.split(KEY, BATCH)
    batched = jax.vmap(lambda start, rows, key: filter(model, start, *rows, key=key))(starts, rows, keys)
    for line in range(BATCH):
        same(at(batched, line), along(model, at(starts, line), *at(rows, line), key=keys[line]))


def test_a_reset_inside_a_sequence_is_two_sequences(quiet, rows, starts):
    actions, embeds, is_first = at(rows, 1)
    whole = along(quiet, at(starts, 1), actions, embeds, is_first, key=KEY)
    nowhere = {"s": jnp.full(STATE, jnp.nan), "age": jnp.full((), -1, jnp.int32)}
    second = along(quiet, nowhere, actions[3:].at[0].set(jnp.nan), embeds[3:], is_first[3:], key=KEY)
    same(at(whole, slice(3, None)), second)
    assert whole["age"].tolist() == [1, 2, 3, 1, 2, 3]


def test_no_gradient_crosses_a_reset(quiet, rows, starts):
    actions, embeds, is_first = at(rows, 1)

    def last_state(inputs):
        return along(quiet, at(starts, 1), *inputs, is_first, key=KEY)["s"][-1].sum()

    by_action, by_embed = jax.grad(last_state)((actions, embeds))
    reached = [bool(jnp.any(g)) for g in by_action], [bool(jnp.any(g)) for g in by_embed]
    assert reached == ([False] * 4 + [True] * 2, [False] * 3 + [True] * 3)  # nor through the action into the first row


def test_reset(model, starts):
    state = at(starts, 2)
    same(reset(model, state, jnp.asarray(False)), state)
    same(reset(model, state, jnp.asarray(True)), model.initial())


def test_filter_is_filter_steps(quiet, rows, starts):
    """A policy that acts step by step believes what the trainer believes of the whole sequence."""
    actions, embeds, is_first = at(rows, 1)
    state = at(starts, 1)
    whole = along(quiet, state, actions, embeds, is_first, key=KEY)
    for t in range(TIME):
        state = filter_step(quiet, state, actions[t], embeds[t], is_first[t], key=jr.key(t))
        same(state, at(whole, t))


def test_rollout_is_a_loop(model, rows, starts):
    plan, state, looped = rows[0][0], at(starts, 0), []
    for action, key in zip(plan, jr.split(KEY, TIME), strict=True):
        state = model.imagine(state, action, key=key)
        looped.append(state)
    same(rollout(model, at(starts, 0), plan, key=KEY), jax.tree.map(lambda *x: jnp.stack(x), *looped))


def test_foresee_reads_the_states_of_a_rollout(model, rows, starts):
    plan, start = rows[0][0], at(starts, 0)
    states = rollout(model, start, plan, key=KEY)
    last, read = foresee(model, start, plan, lambda state: (state["age"], state["s"].sum()), key=KEY)
    same(last, at(states, -1))
    same(read, (states["age"], states["s"].sum(1)))


def choose(state, key):
    vector = state["s"][:ACTION] + jr.normal(key, (ACTION,))
    return jnp.argmax(vector), vector


def test_a_policy_s_rollout_is_the_plan_it_chose(model, starts):
    """The same dream from the actions alone: a_i was taken at s_i and led to s_{i+1}."""
    start = at(starts, 0)
    states, actions = rollout_policy(model, start, lambda s, k: (choose(s, k)[1], choose(s, k)[1]), TIME, key=KEY)
    same(rollout(model, start, actions, key=jr.split(KEY)[1]), states)
    believed = jax.tree.map(lambda first, later: jnp.concatenate([first[None], later[:-1]]), start, states)
    keys = jr.split(jr.split(KEY)[0], TIME)
    same(actions, jnp.stack([choose(at(believed, i), keys[i])[1] for i in range(TIME)]))


def test_a_policy_s_actions_come_in_the_form_of_their_world(model, starts):
    _, actions = rollout_policy(model, at(starts, 0), choose, TIME, key=KEY)
    assert (actions.shape, actions.dtype) == ((TIME,), jnp.int32)


def test_rollout_policy_jit_and_vmap_change_nothing(model, starts):
    keys = jr.split(KEY, BATCH)
    dream = lambda start, key: rollout_policy(model, start, choose, TIME, key=key)
    batched = jax.jit(jax.vmap(dream))(starts, keys)
    for line in range(BATCH):
        same(at(batched, line), dream(at(starts, line), keys[line]))


def test_over_time_maps_batch_and_time(rows):
    doubled = over_time(lambda embed: 2 * embed.sum())(rows[1])
    close(doubled, 2 * np.asarray(rows[1]).sum(-1))


DREAMS, HORIZON = 2 * SMALLEST + 1, 12


def lean(policy, state):
    return policy * state["s"][:ACTION]


def verdict(state):
    """Ends where the first number is large, and no sooner than a state's age allows."""
    return state["s"].sum(), (state["s"][0] > 0.3) & (state["age"] > 1)


@pytest.fixture(scope="module")
def dreamt(model):
    starts = jax.vmap(lambda key: model.initial() | {"s": jr.normal(key, (STATE,))})(jr.split(KEY, DREAMS))
    policies, keys = jnp.linspace(-1, 1, DREAMS)[:, None], jr.split(jr.key(5), DREAMS)
    run = eqx.filter_jit(partial(returns, model, choose=lean, outcome=verdict, horizon=HORIZON))
    return starts, policies, keys, run(starts, policies, keys=keys)


def test_returns_are_those_of_one_dream_after_the_other(model, dreamt):
    starts, policies, keys, (totals, lengths) = dreamt
    imagine = eqx.filter_jit(model.imagine)
    assert 1 < np.median(lengths) < HORIZON == lengths.max(), "some end early, some late, some never"
    for dream in range(0, DREAMS, 7):
        state, total = jax.tree.map(lambda leaf, dream=dream: leaf[dream], starts), 0.0
        for now in range(HORIZON):
            state = imagine(state, lean(policies[dream], state), key=jr.fold_in(keys[dream], now))
            reward, ends = verdict(state)
            total += float(reward)
            if ends:
                break
        assert int(lengths[dream]) == now + 1
        close(totals[dream], total, atol=1e-4)


def test_what_one_dreams_is_nobody_else_s_business(model, dreamt):
    """The same dreams in another order and company give the same."""
    starts, policies, keys, (totals, lengths) = dreamt
    order = np.random.default_rng(0).permutation(DREAMS)
    starts, policies, keys = jax.tree.map(lambda leaf: leaf[order], (starts, policies, keys))
    run = eqx.filter_jit(partial(returns, model, choose=lean, outcome=verdict, horizon=HORIZON))
    again, other = run(starts, policies, keys=keys)
    np.testing.assert_array_equal(other, lengths[order])
    close(again, totals[order], atol=1e-4)
