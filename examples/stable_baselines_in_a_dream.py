"""An outside library learns in a dream: Stable-Baselines3 in a run's model, then episodes in the real world.

    pip install torch==2.13.0 stable-baselines3==2.9.2
    reverie train dreamer3 Pendulum-v1 --steps 30000 --run runs/pendulum
    python examples/stable_baselines_in_a_dream.py runs/pendulum Pendulum-v1

SAC (PPO, where actions are choices) never sees the real world while it learns: it is handed
`gymnasium.make("reverie/Dream-v0", run=...)`, like any environment. `reverie verify sac-in-a-dream` does it all again;
the last line printed is what that row is made of.
"""

import argparse
import json
import sys
import time
from itertools import accumulate

import gymnasium

try:
    from stable_baselines3 import PPO, SAC
    from stable_baselines3.common.env_util import make_vec_env
    from stable_baselines3.common.evaluation import evaluate_policy
except ImportError as error:
    sys.stderr.write(f"{error}: this example needs torch==2.13.0 and stable-baselines3==2.9.2: pip install them.\n")
    sys.exit(78)

import reverie.envs  # noqa: F401  (registers reverie/Dream-v0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="a run of a method whose model decodes what it dreams, and its rewards")
    parser.add_argument("environment", help="the real world, for the evaluation")
    parser.add_argument("--steps", type=int, default=30_000, help="dreamt (30000)")
    parser.add_argument("--episodes", type=int, default=100, help="of evaluation (100)")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()

    dream = make_vec_env("reverie/Dream-v0", n_envs=1, seed=arguments.seed, env_kwargs={"run": arguments.run})
    learns = PPO if isinstance(dream.action_space, gymnasium.spaces.Discrete) else SAC
    agent = learns("MlpPolicy", dream, seed=arguments.seed, device="cpu")
    began = time.perf_counter()
    agent.learn(arguments.steps)
    seconds = time.perf_counter() - began

    world = make_vec_env(arguments.environment, n_envs=1, seed=10_000 + arguments.seed)
    returns, _ = evaluate_policy(agent, world, n_eval_episodes=arguments.episodes, return_episode_rewards=True)
    found = {"returns": returns, "curve": dreamt(dream), "seconds": seconds, "steps": arguments.steps}
    sys.stdout.write(json.dumps(found) + "\n")


def dreamt(dream) -> list[tuple[int, float]]:
    """(step, return) of every dream, in order."""
    lengths, returns = dream.env_method("get_episode_lengths"), dream.env_method("get_episode_rewards")
    ends = [[dream.num_envs * step for step in accumulate(one)] for one in lengths]
    return sorted(
        (step, float(value))
        for one, two in zip(ends, returns, strict=True)
        for step, value in zip(one, two, strict=True)
    )


if __name__ == "__main__":
    main()
