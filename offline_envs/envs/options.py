"""`ModelOptions`: the settings that every learned environment takes besides its dataset and its method's."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from gymnasium.envs.registration import EnvSpec

from offline_envs.data import ColumnsChoice
from offline_envs.dynamics import DynamicsFunction, DynamicsModel
from offline_envs.mdp import KnownChoice, Sampler, StepFunction
from offline_envs.settings import TypedSettings
from offline_envs.tasks import Task, TerminationRule


@dataclass(frozen=True)
class ModelOptions(TypedSettings):
    """Settings of every learned environment, all optional.

    Attributes:
        model: Folder of a fitted model, or the model itself, also as a function or module that
            `FunctionModel` takes; if None, an ensemble is fitted once and kept in the user's cache.
        columns: What the columns of a table (a frame, CSV, Parquet, LeRobot) are, see
            `offline_envs.data.Columns`: a mapping, or a TOML file.
        env_id: Environment that the data come from, if the dataset does not name it: an id, or a
            specification with keywords.
        history: Number of recorded observations in one of the environment, with the actions between them, see
            `with_history`: for data whose observations do not show the whole state.
        task: Task whose reward the data get instead of their own: a name with settings, e.g.
            `"ant-angle:degrees=45"`, or a `Task`.
        termination: `"auto"` (exact rule of the known environments), `"never"`, `"learned"`, or a function
            of (obs, action, next_obs) tensors that returns a bool tensor or array `(B,)`.
        reward: A function of (obs, action, next_obs) tensors that returns the rewards `(B,)`, in place of
            learned ones; it also sets those of the dataset.
        known: Columns of the next observation that are known: column → function of (obs, action, next_obs),
            `"kept"` or `"replayed"`; or an object with `columns`, see `KnownColumns`.
        start: `"dataset"` (any state in the data) or `"initial"` (first states of episodes).
        member: Whether a row draws the elite that it follows at every `"step"` or once an `"episode"`; or a
            `Sampler`.
        spread: Factor on the distance of an outcome from the mean of the elites' means, see `scaled_spread`;
            `"calibrated"` fits it to the rows that the model's fit held out. The model's own deviations,
            which penalties read, stay.
        device: Device of the model, e.g. `"cpu"` or `"cuda"`.
        precision: Precision of its matrix products: `"float32"`, `"tf32"` or `"bfloat16"`, see
            `offline_envs.dynamics.ensemble.precision`. Fits and thresholds stay in float32.
        fused: Whether an ensemble on a CUDA device computes all layers by one Triton kernel, where that can
            be, see `fused_or_plain`. It is not measured yet.
        ensemble: Settings of the ensemble by name, see `EnsembleSettings`.
        fit: Settings of the fit by name, see `FitSettings`.
        cache_dir: Folder of fitted models instead of the user's cache.
        progress: Whether a fit, also that of `termination="learned"`, shows its progress.

    Raises:
        SettingsTypeError: A value of the wrong type.
    """

    model: str | Path | DynamicsModel | DynamicsFunction | None = None
    columns: ColumnsChoice | None = None
    env_id: str | EnvSpec | None = None
    history: int = 1
    task: str | Task | None = None
    termination: str | TerminationRule = "auto"
    reward: StepFunction | None = None
    known: KnownChoice | None = None
    start: str = "dataset"
    member: str | Sampler = "step"
    spread: float | str = 1.0
    device: str = "cpu"
    precision: str = "float32"
    fused: bool = False
    ensemble: Mapping[str, Any] | None = None
    fit: Mapping[str, Any] | None = None
    cache_dir: str | Path | None = None
    progress: bool = True

    def __post_init__(self) -> None:
        device: Any = self.device
        if isinstance(device, torch.device):
            object.__setattr__(self, "device", str(device))
        super().__post_init__()

    @property
    def knows_columns(self) -> bool:
        """Whether `known` gives any."""
        return self.known is not None and self.known != {}


MODEL_OPTIONS = tuple(field.name for field in fields(ModelOptions))
"""Names of the settings of `ModelOptions`."""
