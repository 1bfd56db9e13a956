import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reverie.maths.optimisers import adaptive_gradient_clip, clipped_adam, descend, laprop


def steps(transform: optax.GradientTransformation, gradients) -> list:
    """What a transformation makes of the gradients of one tensor, one after the other."""
    state, outputs = transform.init(gradients[0]), []
    for gradient in gradients:
        output, state = transform.update(gradient, state)
        outputs.append(output)
    return outputs


def test_laprop_of_the_sheet():
    """Gradients 1, .5, -2: normalised 1, .63255, -1.51143; averaged and debiased 1, .806606, -.048757."""
    gradients = [jnp.float32(g) for g in (1, 0.5, -2)]
    np.testing.assert_allclose(steps(laprop(), gradients), [1, 0.806606, -0.048757], rtol=2e-4)
    np.testing.assert_allclose(steps(laprop(b1=0.0), gradients), [1, 0.63255, -1.51143], rtol=2e-4)


def test_laprop_against_brute_force():
    gradients = np.random.default_rng(0).normal(size=(20, 3)) * 10.0 ** np.arange(-6, 3, 3)
    square, momentum, expected = np.zeros(3), np.zeros(3), []
    for t, gradient in enumerate(gradients, start=1):
        square = 0.999 * square + 0.001 * gradient**2
        momentum = 0.9 * momentum + 0.1 * gradient / np.sqrt(square / (1 - 0.999**t))
        expected.append(momentum / (1 - 0.9**t))
    np.testing.assert_allclose(steps(laprop(), list(jnp.float32(gradients))), expected, rtol=5e-4, atol=1e-5)


def test_laprop_steps_are_free_of_scale():
    """Momentum averages steps that are already normalised, so a thousand times the gradient changes nothing."""
    gradients = [jnp.float32(g) for g in (1, 0.5, -2, 0.1)]
    larger = [1000 * g for g in gradients]
    np.testing.assert_allclose(steps(laprop(), larger), steps(laprop(), gradients), rtol=1e-4)


def test_laprop_rests_without_a_gradient():
    assert steps(laprop(), [jnp.zeros(2), jnp.zeros(2)])[1].tolist() == [0, 0]


def clipped(gradient, parameter, clip=0.3):
    transform = adaptive_gradient_clip(clip)
    return transform.update(gradient, transform.init(parameter), parameter)[0]


@pytest.mark.parametrize(
    ("parameter", "gradient", "expected"),
    [
        ([[0.0, 2.0], [0.0, 0.0]], [[3.0, 0.0], [0.0, 4.0]], [[0.36, 0.0], [0.0, 0.48]]),  # norm 5 -> 0.3 * 2
        ([0.0, 2.0], [0.3, 0.4], [0.3, 0.4]),  # norm 0.5 is allowed
        ([0.0, 0.0], [3.0, 4.0], [0.00018, 0.00024]),  # norm 5 -> 0.3 * 1e-3: zeros may still move
        (10.0, -5.0, -3.0),
    ],
)
def test_clipping_by_the_norms_of_whole_tensors(parameter, gradient, expected):
    np.testing.assert_allclose(clipped(jnp.float32(gradient), jnp.float32(parameter)), expected, rtol=1e-5)


def test_tensors_are_clipped_each_for_itself():
    parameters = {"weight": jnp.full((2, 2), 1.0), "bias": jnp.zeros(2)}
    gradients = {"weight": jnp.full((2, 2), 0.1), "bias": jnp.full(2, 100.0)}
    after = clipped(gradients, parameters)
    np.testing.assert_array_equal(after["weight"], gradients["weight"])
    np.testing.assert_allclose(jnp.linalg.norm(after["bias"]), 0.3e-3, rtol=1e-5)


tensors = st.lists(st.floats(-100, 100, width=32), min_size=4, max_size=4)
clipped_once = jax.jit(clipped)


@given(tensors, tensors)
def test_clipping_shortens_to_the_limit_and_keeps_the_direction(gradient, parameter):
    gradient, parameter = jnp.float32(gradient), jnp.float32(parameter)
    after, limit = clipped_once(gradient, parameter), 0.3 * max(1e-3, float(jnp.linalg.norm(parameter)))
    length = float(jnp.linalg.norm(gradient))
    np.testing.assert_allclose(after, gradient * min(1, limit / max(length, 1e-30)), rtol=1e-4, atol=1e-7)


def test_descending_is_a_step_down_the_sum() -> None:
    def losses(part):
        return {"near": jnp.sum((part["w"] - 3.0) ** 2), "small": 0.5 * jnp.sum(part["w"] ** 2)}, part["w"] + 1.0

    part, optimiser = {"w": jnp.asarray([1.0, 5.0])}, optax.sgd(0.1)
    after, _, metrics, kept = descend(losses, part, optimiser.init(part), optimiser)
    np.testing.assert_allclose(after["w"], [1 - 0.1 * (-4 + 1), 5 - 0.1 * (4 + 5)])
    np.testing.assert_allclose(kept, [2.0, 6.0])
    np.testing.assert_allclose([metrics["loss/near"], metrics["loss/small"], metrics["loss"]], [8.0, 13.0, 21.0])
    np.testing.assert_allclose(metrics["gradient_norm"], np.hypot(-3, 9), rtol=1e-6)


@pytest.mark.parametrize("decay", [0.0, 0.01])
def test_clipped_adam_against_brute_force(decay) -> None:
    """The norm is that of all tensors together; what decays does so by its own share, whatever the step size."""
    gradients = np.random.default_rng(0).normal(size=(6, 5)) * np.array([[0.1], [30], [1], [0.2], [7], [0.01]])
    start = np.array([3.0, -1, 0.5, 2, 0])
    tensors = lambda flat: {"bias": jnp.float32(flat[4:]), "weight": jnp.float32(flat[:4].reshape(2, 2))}
    adam = clipped_adam(0.05, clip=2.0, epsilon=1e-2, decay=decay)
    part, moments = tensors(start), adam.init(tensors(start))
    expected, first, second = start.copy(), np.zeros(5), np.zeros(5)
    for t, gradient in enumerate(gradients, start=1):
        with jax.numpy_dtype_promotion("standard"):
            updates, moments = adam.update(tensors(gradient), moments, part)
        part = optax.apply_updates(part, updates)
        gradient = gradient * min(1, 2.0 / np.linalg.norm(gradient))
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
        step = first / (1 - 0.9**t) / (np.sqrt(second / (1 - 0.999**t)) + 1e-2)
        expected = (1 - decay) * expected - 0.05 * step
    np.testing.assert_allclose(np.concatenate([part["weight"].ravel(), part["bias"]]), expected, rtol=1e-5, atol=1e-6)


def test_weights_decay_with_a_step_size_of_nothing() -> None:
    weights = jnp.array([2.0, -4.0])
    adam = clipped_adam(0.0, clip=1.0, epsilon=1e-5, decay=0.25)
    with jax.numpy_dtype_promotion("standard"):
        updates, _ = adam.update(jnp.array([1.0, 1.0]), adam.init(weights), weights)
    np.testing.assert_array_equal(optax.apply_updates(weights, updates), [1.5, -3.0])
