"""Checks of a Minari dataset's metadata before Minari acts on them: it makes what they tell it to make."""

import json
from dataclasses import fields
from pathlib import Path

from gymnasium.envs.registration import EnvSpec

from offline_envs.data.environments.recorded import doubts
from offline_envs.data.stored.declared import check_declared
from offline_envs.errors import DatasetError

SPACES = ("observation_space", "action_space")


def check_metadata(folder: Path) -> None:
    """Refuse metadata by which opening the dataset would run code or fill the memory.

    Args:
        folder: Folder that holds `metadata.json`.

    Raises:
        DatasetError: They promise more episodes than the files can hold; or they lack a space, so that Minari
            would make the environment, and ask for code that is not registered here.
        OSError: There is no such file.
        ValueError: It is not JSON.
    """
    metadata = json.loads((folder / "metadata.json").read_text(encoding="utf-8"))
    n_episodes = metadata.get("total_episodes")
    if isinstance(n_episodes, int | float):  # Minari makes an index of as many integers
        what = f"{folder}: total_episodes of its metadata, {n_episodes:,},"
        check_declared(what, int(8 * n_episodes), stored_bytes(folder), compressed=False)
    missing = [name for name in SPACES if name not in metadata]
    if missing and "env_spec" in metadata:
        reasons = [*doubts(recorded_spec(metadata["env_spec"]))]
        if reasons:
            raise DatasetError(
                f"{folder}: its metadata lack {' and '.join(missing)}, and the environment is not trusted to "
                f"give them: {'; '.join(reasons)}. Write both spaces into metadata.json."
            )


def check_steps(source: str, folder: Path, n_steps: int, step_bytes: int) -> None:
    """Refuse metadata that promise more steps than the files can hold.

    Args:
        source: The dataset, for the message.
        folder: Folder that holds `metadata.json`.
        n_steps: Steps that the metadata promise.
        step_bytes: Bytes that a step takes in memory.
    """
    what = f"{source}: total_steps of its metadata, {n_steps:,},"
    check_declared(what, n_steps * step_bytes, stored_bytes(folder), compressed=True)


def stored_bytes(folder: Path) -> int:
    """Size of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def recorded_spec(text: str) -> EnvSpec:
    """Read the `env_spec` of metadata without the entries that other releases of Gymnasium have."""
    known = {field.name for field in fields(EnvSpec)}
    entries = {name: value for name, value in json.loads(text).items() if name in known}
    return EnvSpec.from_json(json.dumps({"additional_wrappers": [], **entries}))
