"""An outside library learns in a dream: PPO of Stable-Baselines3 in a run's model, then 100 episodes in the real world.

    pip install torch==2.13.0 stable-baselines3==2.9.2
    reverie train dreamer3 CartPole-v1 --steps 24000 --run runs/cartpole
    python examples/ppo_in_a_dream.py runs/cartpole CartPole-v1

PPO never sees the real world: it is handed `gymnasium.make("reverie/Dream-v0", run=...)`, like any environment.
"""

import argparse
import json
import sys
import time

from stable_baselines3 import PPO
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy

import reverie.envs  # noqa: F401  (registers reverie/Dream-v0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="a run of a method whose model decodes what it dreams, and its rewards")
    parser.add_argument("environment", help="the real world, for the evaluation")
    parser.add_argument("--steps", type=int, default=50_000, help="dreamt (50000)")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()

    dream = make_vec_env("reverie/Dream-v0", n_envs=4, seed=arguments.seed, env_kwargs={"run": arguments.run})
    agent = PPO("MlpPolicy", dream, n_steps=256, seed=arguments.seed, device="cpu")
    began = time.perf_counter()
    agent.learn(arguments.steps)
    seconds = time.perf_counter() - began

    world = make_vec_env(arguments.environment, n_envs=1, seed=10_000 + arguments.seed)
    returns, _ = evaluate_policy(agent, world, n_eval_episodes=100, return_episode_rewards=True)
    found = {"mean": sum(returns) / len(returns), "returns": returns, "seconds": seconds, "steps": arguments.steps}
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
