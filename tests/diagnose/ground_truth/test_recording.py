from dataclasses import replace

import pytest
import torch

from offline_envs.data import load_transitions
from offline_envs.diagnose import DiagnoseSettings
from offline_envs.diagnose.ground_truth.recording import GroundTruth, draw_starts
from offline_envs.evaluation import DataScale
from offline_envs.simulator import Simulator
from tests.runs.tiny import DEMO
from tests.toy import toy_transitions

SETTINGS = DiagnoseSettings(starts=12, horizon=5)


class Push:
    """A policy that pushes as hard as it can."""

    def predict(self, observation: object, *, deterministic: bool) -> tuple[object, None]:
        del deterministic  # Unused.
        return torch.ones(*torch.as_tensor(observation).shape[:-1], 1).numpy(), None


@pytest.mark.parametrize("sign", [1, -1])
def test_the_simulator_repeats_the_recording_but_for_relabelled_rewards(sign: int) -> None:
    demo = load_transitions(DEMO)
    demo = replace(demo, rewards=sign * demo.rewards)
    said: list[str] = []
    truth = GroundTruth.of(demo, Push(), DataScale.of(demo), SETTINGS, say=said.append)
    found = truth.simulation
    assert found is not None
    assert found.replay.obs_error < 1e-4
    torch.testing.assert_close(found.repeated.obs[:, 1], truth.recorded.obs[:, 1], atol=1e-4, rtol=0)
    assert truth.same_reward == (sign == 1)
    assert ("not the simulator's" in " ".join(truth.notes)) == (sign == -1)
    assert found.chosen is not None
    assert torch.equal(found.chosen.obs[:, 0], truth.recorded.obs[:, 0])
    assert (found.chosen.actions[found.chosen.present] == 1).all()
    assert said == ["Following 12 recorded episodes for 5 steps", "Following the policy in the simulator"]


def test_without_a_simulator_the_recording_is_all() -> None:
    toys = toy_transitions()
    truth = GroundTruth.of(toys, Push(), DataScale.of(toys), SETTINGS, say=lambda text: None)
    assert truth.simulation is None
    assert truth.same_reward
    assert len(truth.recorded) == 9
    assert [note.startswith("Open-loop errors are measured") for note in truth.notes] == [True]


def test_starts_determine_the_state() -> None:
    demo = load_transitions(DEMO)
    simulator = Simulator.of(demo)
    rows, share = draw_starts(demo, simulator, 10, torch.Generator().manual_seed(0))
    simulator.close()
    exact = simulator.layout.is_exact(demo.obs.numpy())
    assert len(rows) == 10
    assert exact[rows.numpy()].all()
    assert share == exact.mean() < 1
    assert draw_starts(demo, None, 10, torch.Generator().manual_seed(0))[1] == 1
