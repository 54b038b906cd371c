"""`export_policy`: the policy that a run ended with, as an ONNX file."""

from pathlib import Path
from typing import Any

import torch
from gymnasium.spaces import Box, Discrete
from stable_baselines3.common.base_class import BaseAlgorithm
from torch import Tensor, nn

from offline_envs.errors import SettingsError
from offline_envs.export.onnx_file import N_ROWS, check_onnx, write_onnx
from offline_envs.policies import TORCHSCRIPT_SUFFIX, read_agent
from offline_envs.runs import RunFolder, RunSettings
from offline_envs.sb3 import acting_policy
from offline_envs.settings import check_arguments

SUMMARY = "A policy: the deterministic action for an observation, both in the environment's units."


@check_arguments
def export_policy(run: Path | str, file: Path | str) -> None:
    """Write the policy of a run, the last or the chosen one, as one ONNX file.

    The input is `obs`, float32 `(batch, d)`, the output `action`, `(batch, k)`: deterministic, in the
    environment's units and within its bounds. Discrete actions are integers, `(batch,)` or `(batch, m)`. A
    Dict of observations is given as one array, part by part, sorted by name.

    Metadata are `kind` (`"policy"`), `obs_dim`, `action_dim`, `action_low`, `action_high`, `algorithm`,
    `agent`, `dataset`, `task`, `history` and `seed`; texts as they are, the rest as JSON. For discrete
    actions `action_choices`, n or m numbers, stands instead of the three about the action.

    Args:
        run: Folder of a run of your own, as `train` writes it: loading a policy can run code.
        file: The file to write; one that is there is replaced.

    Raises:
        CheckpointError: The folder holds no run, or no policy yet, or one that cannot be read.
        SettingsError: The policy is d3rlpy's, or a package of the extra `onnx` is missing.
        OfflineEnvsError: ONNX Runtime computes something else than PyTorch.
        StorageError: The system does not let the file be written.
    """
    check_onnx()
    folder = RunFolder(run)
    settings, policy = folder.settings(), folder.final_policy()
    if policy.suffix == TORCHSCRIPT_SUFFIX:
        raise SettingsError(
            f"{policy} is d3rlpy's, in TorchScript, which libtorch runs from C++. d3rlpy itself writes ONNX: "
            "save_policy('policy.onnx')."
        )
    agent = read_agent(policy, settings.agent)
    size = agent.observation_space.shape[0]  # type: ignore[index]
    obs = torch.randn(N_ROWS, size, generator=torch.Generator().manual_seed(0))
    write_onnx(
        Path(file), _Deterministic(agent).eval(), {"obs": obs}, ("action",), _about(settings, agent), SUMMARY
    )


class _Deterministic(nn.Module):
    """What an agent's `predict` computes, on tensors."""

    low: Tensor
    high: Tensor

    def __init__(self, agent: BaseAlgorithm) -> None:
        super().__init__()
        self.policy: Any = acting_policy(agent.policy)
        space: Any = agent.action_space
        self.continuous = isinstance(space, Box)
        if self.continuous:
            self.register_buffer("low", torch.as_tensor(space.low))
            self.register_buffer("high", torch.as_tensor(space.high))

    def forward(self, obs: Tensor) -> tuple[Tensor]:
        action = self.policy._predict(obs, deterministic=True)
        if not self.continuous:
            return (action,)
        if self.policy.squash_output:  # then in [−1, 1]
            return (self.low + 0.5 * (action + 1) * (self.high - self.low),)
        return (torch.clamp(action, self.low, self.high),)


def _about(settings: RunSettings, agent: BaseAlgorithm) -> dict[str, Any]:
    return {
        "kind": "policy",
        "obs_dim": agent.observation_space.shape[0],  # type: ignore[index]
        **_about_actions(agent.action_space),
        **{
            name: getattr(settings, name)
            for name in ("algorithm", "agent", "dataset", "task", "history", "seed")
        },
    }


def _about_actions(space: Any) -> dict[str, Any]:
    if isinstance(space, Box):
        low, high = space.low.tolist(), space.high.tolist()
        return {"action_dim": space.shape[0], "action_low": low, "action_high": high}
    return {"action_choices": int(space.n) if isinstance(space, Discrete) else space.nvec.tolist()}
