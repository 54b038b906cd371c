import pytest
import torch

from offline_envs.kernels.captured_call import WARM_UP_CALLS
from offline_envs.sb3.fast_sac.sac_step import CapturedSACStep, Losses, SACBatch
from tests.fake_graph import use_fake_graphs


def test_a_captured_step_learns_from_every_batch_once(monkeypatch: pytest.MonkeyPatch) -> None:
    use_fake_graphs(monkeypatch)
    seen: list[float] = []

    def step(batch: SACBatch) -> Losses:
        seen.append(float(batch.noise[0, 0]))
        return {f"times {factor}": batch.obs[0, 0] * factor for factor in (1, 2, 3, 4)}

    captured = CapturedSACStep(step)
    for number in range(WARM_UP_CALLS + 4):
        batch = SACBatch(*(torch.full((2, 1), float(number)) for _ in SACBatch._fields))
        losses = captured(batch)
        assert losses == {f"times {factor}": factor * number for factor in (1, 2, 3, 4)}
    assert seen == list(range(WARM_UP_CALLS + 4))
