"""Batches shared out over devices: what one computes, the others' halves added, is what one alone computes."""

import json
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from reverie.run import devices

TWO = """
import json
from reverie.run import devices
devices.use_both_cores()
import jax, jax.numpy as jnp, numpy as np
weight = devices.copy({"weight": jnp.arange(3.0), "name": "kept"})
stack = devices.spread(np.arange(24, dtype=np.float32).reshape(1, 8, 3), 8)
odd = devices.spread(np.zeros((1, 3, 2), np.float32), 3)
answer = jax.jit(lambda weight, stack: (stack @ weight).mean())(weight["weight"], stack)
print(json.dumps({
    "devices": len(jax.devices()), "name": weight["name"], "answer": float(answer),
    "halves": [shard.data.shape for shard in stack.addressable_shards],
    "whole": [shard.data.shape for shard in odd.addressable_shards],
    "copies": [shard.data.shape for shard in weight["weight"].addressable_shards],
    "first": [str(device) for device in devices.first(weight)["weight"].devices()],
}))
"""


@pytest.fixture(scope="module")
def two() -> dict:
    """What a process with two virtual devices sees."""
    answer = subprocess.run([sys.executable, "-c", TWO], capture_output=True, text=True, check=True, timeout=120)
    return json.loads(answer.stdout)


def test_a_batch_is_shared_out(two: dict) -> None:
    assert two["devices"] == devices.CPU_DEVICES == 2
    assert two["halves"] == [[1, 4, 3], [1, 4, 3]]
    assert two["copies"] == [[3], [3]]
    assert two["name"] == "kept"


def test_a_batch_that_does_not_divide_is_copied(two: dict) -> None:
    assert two["whole"] == [[1, 3, 2], [1, 3, 2]]


def test_both_halves_count(two: dict) -> None:
    whole = np.arange(24, dtype=np.float32).reshape(1, 8, 3)
    assert two["answer"] == pytest.approx((whole @ np.arange(3.0)).mean())


def test_the_first_device_holds_everything_for_acting(two: dict) -> None:
    assert len(two["first"]) == 1
    assert two["first"][0].endswith("0")


def test_one_device_is_enough() -> None:
    stack = devices.spread({"x": np.ones((2, 4), np.float32)}, 4)
    np.testing.assert_array_equal(devices.first(stack)["x"], np.ones((2, 4)))


def test_too_late_is_no_harm() -> None:
    jnp.zeros(()).block_until_ready()
    before = len(jax.devices())
    devices.use_both_cores()
    assert len(jax.devices()) == before


@pytest.mark.parametrize(("choice", "dtype"), [("auto", "float32"), ("float32", "float32"), ("bfloat16", "bfloat16")])
def test_compute_dtype_on_a_cpu(choice: str, dtype: str) -> None:
    assert devices.compute_dtype(choice) == dtype
