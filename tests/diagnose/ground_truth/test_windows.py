import torch

from offline_envs.data import load_transitions
from offline_envs.diagnose.ground_truth.windows import recorded_windows, simulated_windows
from offline_envs.simulator import Simulator
from tests.runs.tiny import DEMO
from tests.toy import toy_transitions


def test_a_recorded_window_ends_with_its_episode() -> None:
    """Episode e has obs (t, e) for t = 0, 1, 2; from its row 1 two steps remain."""
    found = recorded_windows(toy_transitions(), torch.tensor([0, 4, 8]), 2)
    assert found.lengths.tolist() == [2, 2, 1]
    assert found.obs[0].tolist() == [[0, 0], [1, 0], [2, 0]]
    assert found.obs[1].tolist() == [[1, 1], [2, 1], [3, 1]]
    assert found.obs[2, :2].tolist() == [[2, 2], [3, 2]]
    assert found.actions[1, :, 0].tolist() == [0, 1]
    assert found.rewards[1].tolist() == [-2, -3]
    assert found.present.tolist() == [[True, True], [True, True], [True, False]]


def test_simulated_windows_repeat_recorded_ones() -> None:
    """From the same states with the same actions; the pendulum falls in both at the same step."""
    demo = load_transitions(DEMO)
    rows = demo.episode_starts[:6]
    recorded = recorded_windows(demo, rows, 4)
    simulator = Simulator.of(demo)
    found = simulated_windows(
        simulator, demo.obs[rows], lambda i, t, o: recorded.actions[i, t].numpy(), recorded.lengths, 4
    )
    simulator.close()
    assert torch.equal(found.lengths, recorded.lengths)
    torch.testing.assert_close(found.obs, recorded.obs, atol=1e-4, rtol=0)
    torch.testing.assert_close(found.rewards, recorded.rewards, atol=1e-4, rtol=0)
    assert torch.equal(found.actions, recorded.actions)
