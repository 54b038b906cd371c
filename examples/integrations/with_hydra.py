"""A Hydra configuration holds the settings of an environment; OmegaConf's own types are accepted.

python examples/integrations/with_hydra.py
"""

import tempfile
from pathlib import Path
from typing import Any

import gymnasium as gym
from hydra import compose, initialize_config_dir

CONFIG = """\
env:
  id: offline_envs:PenalizedModel-v0
  num_envs: 4
  dataset: offline-envs/inverteddoublependulum-replay-v0
  penalty_coef: 1
  max_episode_steps: 5
  autoreset_mode: SameStep
  progress: false
  ensemble: {hidden: [16, 16]}
  fit: {max_epochs: 1}
"""


def main() -> None:
    """Compose a configuration with an override, as the command line does, and make its environment."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.yaml").write_text(CONFIG)
        with initialize_config_dir(folder, version_base=None):
            config = compose("config", overrides=["env.penalty_coef=2.5"])
    envs: Any = gym.make_vec(**config.env)
    envs.reset(seed=0)
    _, _, _, _, infos = envs.step(envs.action_space.sample())
    print("Hydra:", envs.unwrapped.method, infos["final_obs"].shape)
    assert envs.unwrapped.method.penalty_coef == 2.5
    assert envs.unwrapped.ensemble.settings.hidden == (16, 16)


if __name__ == "__main__":
    main()
