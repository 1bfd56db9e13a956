"""Data parallelism over the devices of this machine: GPUs, or the cores of a CPU.

Each device gets a part of every batch and a copy of the parameters: several GPUs, or virtual devices of a CPU
(`use_both_cores`), which no command asks for: XLA's own threads were as fast or faster (LOG.md, 2026-11-22).

    copy     parameters: the same on every device          spread   a batch: its rows shared out
    first    what the first device holds, for acting

Sums over a batch are taken in another order than on one device, so the last digits depend on the number of devices.
"""

import contextlib
import functools

import jax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from jaxtyping import PyTree

DTYPES = ("auto", "float32", "bfloat16")
"""What a method can be told to compute in."""
CPU_DEVICES = 2
"""Virtual devices of a CPU; a constant, so that results do not depend on how many cores a machine has."""

_OPTION = "jax_num_cpu_devices"


def use_both_cores() -> None:
    """Splits the CPU into virtual devices, where nobody has chosen how many; call it before anything is computed."""
    if getattr(jax.config, _OPTION) == -1:
        with contextlib.suppress(RuntimeError):  # jax has computed already: it stays with the devices it has
            jax.config.update(_OPTION, CPU_DEVICES)


def compute_dtype(choice: str) -> str:
    """float32 or bfloat16; `auto` is bfloat16 on accelerators and float32 on CPUs."""
    if choice != "auto":
        return choice
    return "float32" if jax.default_backend() == "cpu" else "bfloat16"


def copy(tree: PyTree) -> PyTree:
    """Every array of the tree on every device."""
    return _place(tree, PartitionSpec(), _mesh(len(jax.devices())))


def spread(tree: PyTree, batch: int) -> PyTree:
    """Arrays [dispatch, batch, ...] shared out along the batch, as far as it divides evenly."""
    devices = len(jax.devices())
    return _place(tree, PartitionSpec(None, "batch") if batch % devices == 0 else PartitionSpec(), _mesh(devices))


def first(tree: PyTree) -> PyTree:
    """The first device's copy of every array, without moving anything."""
    return jax.tree.map(lambda leaf: leaf.addressable_data(0) if isinstance(leaf, jax.Array) else leaf, tree)


def _place(tree: PyTree, spec: PartitionSpec, mesh: Mesh) -> PyTree:
    place = NamedSharding(mesh, spec)
    return jax.tree.map(lambda leaf: jax.device_put(leaf, place) if hasattr(leaf, "dtype") else leaf, tree)


@functools.cache
def _mesh(devices: int) -> Mesh:
    return jax.make_mesh((devices,), ("batch",), axis_types=(AxisType.Auto,))
