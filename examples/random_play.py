"""What chance scores in a run's world: the floor that a claim stands on.

    reverie train dreamer1 Pendulum-v1 --environment.repeat 2 --steps 2000 --run runs/pendulum
    python examples/random_play.py runs/pendulum Pendulum-v1

Every action is uniform, in the world as the run's options make it (its action repeat above all); nothing is learned.
The last line printed is what a row of `reverie verify ROW --script examples/random_play.py` is made of.
"""

import argparse
import dataclasses
import json
import sys
import time

import equinox as eqx
from jaxtyping import Array, Bool, PRNGKeyArray

import reverie
from reverie.behaviours.noise import uniform
from reverie.evaluate import returns
from reverie.protocol import AbstractPolicy
from reverie.types import ArraySpec


class RandomPolicy(AbstractPolicy[None]):
    """Anything, at any time."""

    spec: ArraySpec = eqx.field(static=True)

    def initial(self) -> None:
        return None

    def act(
        self, carry: None, observation: dict[str, Array], is_first: Bool[Array, ""], *, key: PRNGKeyArray
    ) -> tuple[Array, None]:
        return uniform(self.spec, key=key), None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="any run: its world is played in")
    parser.add_argument("environment", help="the same world's name, as rows of the ledger say it")
    parser.add_argument("--episodes", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()

    agent = reverie.load(arguments.run)
    random = dataclasses.replace(agent.trained, policy=RandomPolicy(agent.trained.spaces.action))
    began = time.perf_counter()
    played = returns.evaluate(
        random, arguments.environment, agent.options, episodes=arguments.episodes, seed=arguments.seed
    )
    found = {"returns": played.returns, "curve": [], "seconds": time.perf_counter() - began}
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
