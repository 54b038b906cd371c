"""`read_agent`: an agent of Stable-Baselines3 from its file."""

from pathlib import Path
from typing import TYPE_CHECKING

from offline_envs.agents import find_saved_agent, saved_agents
from offline_envs.errors import CheckpointError

if TYPE_CHECKING:
    from stable_baselines3.common.base_class import BaseAlgorithm


def read_agent(path: Path | str, agent: str) -> "BaseAlgorithm":
    """Read an agent onto the CPU, without an environment. The file can run code: load only what you trust.

    Args:
        path: A .zip that Stable-Baselines3 saved.
        agent: The agent that saved it, one of `saved_agents`, e.g. `"sac"`.

    Raises:
        SettingsError: No agent has the name.
        CheckpointError: The file is missing, damaged, or another agent's.
    """
    kind = find_saved_agent(agent).load()
    try:
        return kind.load(path, device="cpu")
    except Exception as error:  # Stable-Baselines3 passes on whatever zipfile, pickle or torch raise
        raise CheckpointError(
            f"{path} cannot be loaded as a policy of {agent}: {error}. If another agent saved it, name it "
            f"as the agent: {', '.join(saved_agents())}."
        ) from error
