"""`python -m benchmarks [NAME ...]`: measures and prints JSON; what it is doing goes to the other stream."""

import argparse
import json
import sys

import jax

from benchmarks import dreams, environments, layers, lineage, policy, replay, studio, update
from benchmarks.measure import load, rounded
from reverie.evaluate.ledger import provenance
from reverie.run import devices

MEASURES = {
    "layers": layers.measure,
    "update": update.measure,
    "lineage": lineage.measure,
    "policy": policy.measure,
    "replay": replay.measure,
    "environments": environments.measure,
    "dreams": dreams.measure,
    "studio": studio.measure,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(MEASURES)}; all when none is given")
    parser.add_argument("--repetitions", type=int, default=5, help="turns of every candidate (5)")
    parser.add_argument("--sizes", nargs="+", default=["1m", "12m"], help="model sizes (1m 12m)")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(MEASURES):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(MEASURES)}")

    devices.use_both_cores()
    answer = provenance([device.device_kind for device in jax.devices()]) | {"load": {"before": load()}}
    for name in arguments.names or MEASURES:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        answer[name] = MEASURES[name](sizes=arguments.sizes, repetitions=arguments.repetitions)
    answer["load"]["after"] = load()
    print(json.dumps(rounded(answer), indent=2))


if __name__ == "__main__":
    main()
