from types import ModuleType
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from torch import Tensor

from offline_envs.data import load_transitions
from offline_envs.errors import SettingsError
from tests.benchmarks.test_benchmarks import script
from tests.runs.tiny import DEMO, ENSEMBLE, FIT
from tests.toy import toy_transitions


@pytest.fixture
def true_error(own_tables: None, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return script("true_error", monkeypatch)


class Real:
    """The pendulum of the dataset, set to observations by hand: x, sines, cosines, velocities."""

    def __init__(self) -> None:
        self.env: Any = gym.make("InvertedDoublePendulum-v5").unwrapped
        self.env.reset(seed=3)

    def after(self, obs: Any, action: Any) -> Any:
        angles = np.arctan2(obs[1:3], obs[3:5])
        self.env.data.qacc_warmstart[:] = 0
        self.env.set_state(np.concatenate([obs[:1], angles]), obs[5:8])
        return self.env.step(action)[0]


@pytest.mark.usefixtures("true_error")
def test_the_penalty_is_the_distance_from_the_simulators_next_observation() -> None:
    fitted = {"dataset": DEMO, "ensemble": ENSEMBLE, "fit": FIT, "penalty_coef": 2.5}
    options: dict[str, Any] = {"autoreset_mode": "SameStep", "step_infos": True, **fitted}
    envs: Any = gym.make_vec("TrueErrorModel-v0", 6, **options)
    obs, _ = envs.reset(seed=0)
    actions = np.linspace(-1, 1, 6, dtype=np.float32)[:, None]
    _, rewards, _, _, infos = envs.step(actions)
    real = Real()
    true = np.stack([real.after(*pair) for pair in zip(obs.astype(np.float64), actions, strict=True)])
    distance = np.linalg.norm(infos["final_obs"] - true, axis=1)
    assert infos["penalty"] == pytest.approx(2.5 * distance, rel=1e-3)
    assert rewards == pytest.approx(infos["raw_reward"] - infos["penalty"], rel=1e-5)
    assert distance.min() > 1e-3


@pytest.mark.usefixtures("true_error")
def test_a_model_that_is_the_simulator_pays_nothing() -> None:
    real = Real()

    def step(obs: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        pairs = zip(obs.double().numpy(), action.numpy(), strict=True)
        return torch.from_numpy(np.stack([real.after(*pair) for pair in pairs])).float(), obs[:, 0]

    envs: Any = gym.make_vec("TrueErrorModel-v0", 4, dataset=DEMO, model=step, step_infos=True)
    envs.reset(seed=0)
    for _ in range(2):
        assert envs.step(envs.action_space.sample())[4]["penalty"] == pytest.approx(0, abs=1e-4)


def test_the_truth_of_recorded_rows_is_what_was_recorded(true_error: ModuleType) -> None:
    data = load_transitions(DEMO)
    truth = true_error.Truth.of(data)
    rows = torch.arange(0, 20_000, 1000)
    rows = rows[torch.from_numpy(truth.simulator.layout.is_exact(data.obs[rows].numpy()))]
    assert len(rows) > 10
    assert truth.error(data.obs[rows], data.actions[rows], data.next_obs[rows]).max() < 1e-3


def test_errors_are_cut_to_the_diameter_of_the_data(true_error: ModuleType) -> None:
    truth = true_error.Truth.of(load_transitions(DEMO))
    far = truth.error(torch.zeros(2, 9), torch.zeros(2, 1), torch.tensor([[1e9] * 9, [float("nan")] * 9]))
    box = load_transitions(DEMO).obs.numpy()
    diameter = np.sqrt(((box.max(axis=0) - box.min(axis=0)) ** 2).sum())
    assert far.tolist() == pytest.approx([diameter] * 2, rel=1e-5)


@pytest.mark.usefixtures("true_error")
def test_recorded_steps_cost_about_the_coefficient_or_the_share_of_their_rewards() -> None:
    options: dict[str, Any] = {"dataset": DEMO, "ensemble": ENSEMBLE, "fit": FIT, "step_infos": True}
    found = {}
    for scale in ("raw", "data", "reward"):
        envs: Any = gym.make_vec("TrueErrorModel-v0", 300, penalty_scale=scale, **options)
        data = load_transitions(DEMO)
        rows = torch.randperm(len(data), generator=torch.Generator().manual_seed(1))[:300]
        envs.reset(seed=0, options={"obs": data.obs[rows].numpy()})
        found[scale] = envs.step(data.actions[rows].numpy())[4]["penalty"]
    unit = (found["raw"] / found["data"]).mean()
    assert found["raw"] / found["data"] == pytest.approx(np.full(300, unit), rel=1e-4)
    assert found["data"].mean() == pytest.approx(1.0, rel=0.2)
    mean_reward = float(load_transitions(DEMO).rewards.abs().mean())
    assert found["reward"] == pytest.approx(mean_reward * found["data"], rel=1e-4)


def test_what_cannot_be_measured_is_refused(true_error: ModuleType) -> None:
    with pytest.raises(SettingsError, match="penalty_coef must be 0 or more, got -1"):
        true_error.TrueErrorPenalty(penalty_coef=-1)
    with pytest.raises(SettingsError, match=r"Unknown penalty_scale 'mean'\. Valid: data, raw, reward"):
        true_error.TrueErrorPenalty(penalty_scale="mean")
    with pytest.raises(SettingsError, match="The simulator can be set to an observation of"):
        true_error.Truth.of(toy_transitions())
