"""TorchRL's collector in a learned environment: tensors in, tensors out, all rows in one step of the model.

TorchRL reads same-step autoreset, or none, and refuses next-step, the default.

    python examples/integrations/with_torchrl.py
"""

from typing import Any

import gymnasium as gym
import torch
from known_world import ENV_ID, OPTIONS, check_rows
from torchrl.collectors import Collector
from torchrl.envs import EnvBase, GymEnv, GymWrapper


def collected(env: EnvBase, frames: int) -> Any:
    """Steps of random actions, as one TensorDict `(rows, steps)`."""
    collector = Collector(env, None, frames_per_batch=frames, total_frames=frames)
    (steps,) = tuple(collector)
    collector.shutdown()
    return steps


def check(program: str, env: EnvBase, frames: int = 400) -> None:
    """Look at every row that a collector stores."""
    steps = collected(env, frames)
    obs, next_obs = steps["observation"], steps["next", "observation"]
    ended = steps["next", "done"].flatten()
    check_rows(program, obs.reshape(-1, obs.shape[-1]), next_obs.reshape(-1, obs.shape[-1]), ended)


def main() -> None:
    """Collect from vector environments of both modes, and from a single one that TorchRL makes itself."""
    for mode in ("SameStep", "Disabled"):
        envs = gym.make_vec(
            ENV_ID, num_envs=8, autoreset_mode=mode, output="torch", max_episode_steps=5, **OPTIONS
        )
        check(f"TorchRL, {mode}", GymWrapper(envs, device="cpu", convert_actions_to_numpy=False))
    # It asks for frameskip= first, and makes the environment without after the error.
    check("TorchRL, one episode", GymEnv(ENV_ID, max_episode_steps=5, device="cpu", **OPTIONS), 200)
    message = ""
    try:
        GymWrapper(gym.make_vec(ENV_ID, num_envs=8, **OPTIONS))
    except RuntimeError as error:
        message = str(error)
    assert "autoreset_mode=" in message  # the default mode, which TorchRL reads wrongly, is refused


if __name__ == "__main__":
    torch.manual_seed(0)
    main()
