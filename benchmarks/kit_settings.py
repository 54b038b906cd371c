"""Settings of `kit_scores.py`'s runs: what OfflineRL-Kit suggests, and the file that says what a run is."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import typer

from offline_envs.files import differences, plain, read_json, write_json
from offline_envs.sb3.schedule import ROLLOUT_STARTS

SUGGESTED: Mapping[str, Mapping[str, tuple[int, float]]] = {
    "mopo": {"Hopper": (5, 2.5), "HalfCheetah": (5, 0.5), "Walker2d": (1, 2.5)},
    "mobile": {"Hopper": (5, 0.1), "HalfCheetah": (5, 0.1), "Walker2d": (1, 0.5)},
}
"""Method → body → horizon and λ, suggested at the top of the run files; all learn their temperature."""

FIT_EPOCHS: Mapping[str, int | None] = {"mopo": None, "mobile": 30}
"""Method → most epochs of the fit, which ends earlier after five without an improvement."""


@dataclass(frozen=True)
class KitSettings:
    """What one run was made with, as written to its `settings.json`.

    Attributes:
        dataset: Id or path of its dataset.
        method: `"mopo"` or `"mobile"`.
        gradient_steps: Gradient steps of the agent.
        seed: Seed of fit and agent.
        horizon: Steps of a rollout.
        penalty_coef: λ of MOPO's penalty, or factor of MOBILE's.
        max_epochs: Most epochs of the fit; None for as long as it improves.
        alpha: Fixed temperature; None to learn it.
        eval_every: Gradient steps between evaluations.
        eval_episodes: Episodes of each.
        rollout_starts: Rollouts started every 1000 gradient steps.
        batch_size: Transitions of a batch.
        real_ratio: Share of them from the dataset.
        program: Whose code fitted and trained.
    """

    dataset: str
    method: str
    gradient_steps: int
    seed: int
    horizon: int
    penalty_coef: float
    max_epochs: int | None
    alpha: float | None
    eval_every: int
    eval_episodes: int
    rollout_starts: int = ROLLOUT_STARTS
    batch_size: int = 256
    real_ratio: float = 0.05
    program: str = "OfflineRL-Kit"


def suggested(method: str, env_id: str) -> tuple[int, float]:
    """Horizon and λ that OfflineRL-Kit's run file suggests for a body's replay data.

    Raises:
        typer.BadParameter: It has no such method, or suggests nothing for this environment.
    """
    if method not in SUGGESTED:
        raise typer.BadParameter(f"--method must be one of {', '.join(SUGGESTED)}, got {method!r}.")
    bodies = SUGGESTED[method]
    body = env_id.split("-")[0]
    if body not in bodies:
        raise typer.BadParameter(
            f"The dataset must be of one of {', '.join(bodies)}, for which OfflineRL-Kit suggests settings; "
            f"got one of {env_id}."
        )
    return bodies[body]


def claim(folder: Path, settings: KitSettings) -> None:
    """Write the settings of a new run, or check those of one that is resumed.

    Raises:
        typer.BadParameter: The folder holds a complete run, or one of other settings.
    """
    file, values = folder / "settings.json", plain(asdict(settings))
    if (folder / "result.json").exists():
        raise typer.BadParameter(f"{folder} holds a complete run; --output must be another folder.")
    if not file.exists():
        write_json(file, values)
    elif different := differences(values, read_json(file)):
        raise typer.BadParameter(
            f"{folder} holds a run of other {', '.join(different)}; --output must be another folder."
        )
