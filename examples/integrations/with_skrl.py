"""skrl's SAC in a learned environment, all rows in one step of the model.

skrl takes every row that a step returns for one of the environment, and reads no infos. With next-step
autoreset, the default, it would store the steps that restart rows; with same-step, the first observation of
the next episode as the successor of an ended row. `TrueSuccessors` gives its memory the true ones.

    python examples/integrations/with_skrl.py
"""

import warnings
from typing import Any

import gymnasium as gym
import torch
from known_world import ENV_ID, OPTIONS, check_rows
from skrl.agents.torch.sac import SAC, SAC_CFG
from skrl.envs.wrappers.torch import wrap_env
from skrl.memories.torch import RandomMemory
from skrl.trainers.torch import SequentialTrainer
from skrl.utils.model_instantiators.torch import deterministic_model, gaussian_model

ROWS = 8


class TrueSuccessors:
    """Mixed into an agent: the successors of ended rows are those before the restart."""

    def record_transition(self, *, next_observations: torch.Tensor, infos: Any, **fields: Any) -> None:
        """Store `infos["final_obs"]`, which has the successor of every row, ended or not."""
        true = torch.as_tensor(infos["final_obs"], device=next_observations.device)
        super().record_transition(next_observations=true, infos=infos, **fields)  # type: ignore[misc]


class Recorded(SAC):  # type: ignore[misc]  # without types, or not there
    """SAC that keeps what its memory is given; the memory itself does not tell which rows were truncated."""

    def record_transition(self, **fields: Any) -> None:
        """Note observations, their successors, and which rows ended."""
        ended = (fields["terminated"] | fields["truncated"]).flatten()
        self.rows.append((fields["observations"].clone(), fields["next_observations"].clone(), ended))
        super().record_transition(**fields)


class OffPolicySAC(TrueSuccessors, Recorded):  # type: ignore[misc]
    """SAC for learned environments of `autoreset_mode="SameStep"`."""


def train(kind: type[Recorded], env: Any, steps: int) -> Recorded:
    """Train a small agent."""
    network = [{"name": "net", "input": "OBSERVATIONS", "layers": [16], "activations": "relu"}]
    critic = [{**network[0], "input": "concatenate([OBSERVATIONS, ACTIONS])"}]
    spaces = {
        "observation_space": env.observation_space,
        "action_space": env.action_space,
        "device": env.device,
    }
    models: dict[str, Any] = {"policy": gaussian_model(**spaces, network=network, output="ACTIONS")}
    for name in ("critic_1", "critic_2", "target_critic_1", "target_critic_2"):
        models[name] = deterministic_model(**spaces, network=critic, output="ONE")
    memory = RandomMemory(memory_size=steps, num_envs=env.num_envs, device=env.device)
    cfg = SAC_CFG(batch_size=32, random_timesteps=10, learning_starts=10)
    agent = kind(
        models=models,
        memory=memory,
        cfg=cfg,
        observation_space=env.observation_space,
        action_space=env.action_space,
        device=env.device,
    )
    agent.rows = []
    SequentialTrainer(
        cfg={"timesteps": steps, "headless": True, "disable_progressbar": True}, env=env, agents=agent
    ).train()
    return agent


def check(program: str, agent: Recorded) -> None:
    """Look at every row that the memory was given."""
    check_rows(program, *(torch.cat(parts).numpy() for parts in zip(*agent.rows, strict=True)))


def main() -> None:
    """Train with many rows and with one, and see that the default mode is warned about."""
    horizon: Any = {"max_episode_steps": 5}
    envs = gym.make_vec(ENV_ID, num_envs=ROWS, autoreset_mode="SameStep", **horizon, **OPTIONS)
    check("skrl", train(OffPolicySAC, wrap_env(envs), 50))
    check("skrl, one episode", train(Recorded, wrap_env(gym.make(ENV_ID, **horizon, **OPTIONS)), 100))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        train(Recorded, wrap_env(gym.make_vec(ENV_ID, num_envs=ROWS, **horizon, **OPTIONS)), 5)
    assert any("autoreset_mode='NextStep'" in str(warning.message) for warning in caught)


if __name__ == "__main__":
    main()
