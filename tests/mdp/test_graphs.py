"""Graphs of a step without random numbers, which compilers and exporters take whole."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from offline_envs.dynamics import EnsembleDynamics, EnsembleSettings
from offline_envs.envs import LearnedMDP, Penalize
from offline_envs.kernels import products
from offline_envs.mdp.guard import Guard
from offline_envs.mdp.members import Members
from tests.torch_versions import needs_new_compiler
from tests.toy import right_of_six, toy_transitions


class MeanStep(nn.Module):
    def __init__(self, mdp: LearnedMDP) -> None:
        super().__init__()
        self.mdp = mdp.with_means()
        self.generator = torch.Generator()

    def forward(self, obs: Tensor, action: Tensor) -> tuple[Tensor, ...]:
        step = self.mdp.step(obs, action, self.generator)
        return step.next_obs, step.reward, step.terminated, step.exploded, step.penalty


def make_step(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> MeanStep:
    """A step on a processor for which oneDNN is called."""
    monkeypatch.setattr(products, "_onednn_is_faster", lambda device, dtype: device == "cpu")
    settings = EnsembleSettings(n_members=3, n_elites=2, hidden=(8, 8))
    model = EnsembleDynamics(2, 1, settings=settings).eval().requires_grad_(False)
    guard = Guard.from_transitions(toy_transitions())
    return MeanStep(LearnedMDP(Members.of(model, "elites"), right_of_six, guard, **changes)).eval()


def batch(n: int) -> tuple[Tensor, Tensor]:
    """Rows of which some terminate and some explode."""
    generator = torch.Generator().manual_seed(n)
    return 6 + 30 * torch.randn(n, 2, generator=generator), torch.randn(n, 1, generator=generator)


def assert_same(graph: Any, step: MeanStep) -> None:
    for n in (1, 5, 1500):  # the last in two chunks
        for found, right in zip(graph(*batch(n)), step(*batch(n)), strict=True):
            torch.testing.assert_close(found, right, rtol=1e-5, atol=1e-6)


@needs_new_compiler
def test_a_compiled_step_is_the_step(monkeypatch: pytest.MonkeyPatch) -> None:
    step = make_step(monkeypatch, transform=Penalize(0.5))
    _, _, terminated, exploded, penalty = step(*batch(1500))
    assert terminated.any()
    assert exploded.any()
    assert penalty.any()
    assert_same(torch.compile(step, backend="aot_eager", fullgraph=True, dynamic=True), step)


@pytest.mark.parametrize("changes", [{}, {"transform": Penalize(0.5)}], ids=["plain", "penalised"])
def test_an_exported_step_is_the_step(changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    step = make_step(monkeypatch, **changes)
    rows = {0: torch.export.Dim("batch")}
    program = torch.export.export(step, batch(5), dynamic_shapes={"obs": rows, "action": rows})
    assert_same(program.module(), step)
