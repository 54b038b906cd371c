import pytest
import torch

from offline_envs.kernels.captured_call import WARM_UP_CALLS
from offline_envs.sb3.fast_sac.sac_step import CapturedSACStep, SACBatch, SACLosses
from tests.fake_graph import use_fake_graphs


def test_a_captured_step_learns_from_every_batch_once(monkeypatch: pytest.MonkeyPatch) -> None:
    use_fake_graphs(monkeypatch)
    seen: list[float] = []

    def step(batch: SACBatch) -> SACLosses:
        seen.append(float(batch.noise[0, 0]))
        return SACLosses(*(batch.obs[0, 0] * factor for factor in (1, 2, 3, 4)))

    captured = CapturedSACStep(step)
    for number in range(WARM_UP_CALLS + 4):
        batch = SACBatch(*(torch.full((2, 1), float(number)) for _ in SACBatch._fields))
        losses = captured(batch)
        assert isinstance(losses, SACLosses)
        assert [float(loss) for loss in losses] == [number, 2 * number, 3 * number, 4 * number]
    assert seen == list(range(WARM_UP_CALLS + 4))
