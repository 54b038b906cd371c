"""Steps replayed as graphs: the numbers of plain steps, in fresh tensors, without a look at the device."""

from dataclasses import fields, is_dataclass, replace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from torch import Tensor

import offline_envs  # noqa: F401  registers the environments
from offline_envs.data import Transitions
from offline_envs.dynamics import EnsembleDynamics
from offline_envs.dynamics.ensemble.fused import obstacle
from offline_envs.dynamics.ensemble.precision import PRECISIONS
from offline_envs.envs import assembly
from offline_envs.envs.assembly import Assembly
from offline_envs.envs.checker.recorded_calls import equal, leaves, play, to_numpy
from offline_envs.envs.episodes import Episodes
from offline_envs.kernels.captured_call import WARM_UP_CALLS
from tests.fake_graph import use_fake_graphs
from tests.toy import counting_ensemble, halting_options, right_of_six, toy_ensemble, toy_options

N = 5
IDS = ["LearnedModel-v0", "PenalizedModel-v0", "PessimisticModel-v0", "AdversarialModel-v0"]
KINDS = [(env_id, member) for env_id in IDS for member in ("step", "episode")]
KINDS.append(("ConsistentModel-v0", "step"))  # it chooses among all elites itself
MODES = ["SameStep", "NextStep", "Disabled"]

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="a CUDA graph needs a CUDA device")


def make(env_id: str, **changes: Any) -> Any:
    options = halting_options() if env_id == "PessimisticModel-v0" else toy_options(termination=right_of_six)
    given = {"num_envs": N, "max_episode_steps": 3, "output": "torch", "step_infos": True, **changes}
    return gym.make_vec(env_id, **{**options, **given})


def captured(env_id: str, **changes: Any) -> Any:
    """The environment as it is on a CUDA device, with the graphs of `tests.fake_graph`."""
    envs = make(env_id, **changes)
    bare, episodes = envs.unwrapped, envs.unwrapped._episodes
    bare._captures = True
    bare._step, bare._restart = bare._replayed(episodes.advance, ""), bare._replayed(episodes.restart, "")
    return envs


def moments(envs: Any, n_steps: int = 12) -> list[Any]:
    actions = [np.full((N, 1), 0.1 * i, np.float32) for i in range(n_steps)]
    return [moment.copies for seed in (0, 1) for moment in play(envs, actions, seed=seed, spoil=True)]


def state(envs: Any) -> dict[str, Tensor]:
    """Every tensor of the state, by name."""
    episodes = envs.unwrapped._episodes
    holders = {"": episodes, **({"monitor.": episodes.monitor} if episodes.monitor else {})}
    return {
        prefix + name: value
        for prefix, holder in holders.items()
        for name, value in vars(holder).items()
        if isinstance(value, Tensor)
    }


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("env_id", "member"), KINDS)
def test_the_same_bits_with_and_without_graphs(
    env_id: str, mode: str, member: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_fake_graphs(monkeypatch)
    options = {"autoreset_mode": mode, "member": member}
    graphs, plain = captured(env_id, **options), make(env_id, **options)
    assert equal(moments(graphs), moments(plain))
    assert graphs.unwrapped._step._replay is not None
    assert equal(to_numpy(state(graphs)), to_numpy(state(plain)))


def test_a_step_limit_that_is_set_after_the_capture_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    use_fake_graphs(monkeypatch)
    envs = captured("LearnedModel-v0", **toy_options(model=counting_ensemble()))
    moments(envs)
    assert envs.unwrapped._step._replay is not None
    envs.reset(seed=0)
    envs.unwrapped.max_episode_steps = 5
    assert [envs.step(torch.zeros(N, 1))[3].tolist() for _ in range(5)] == [[False] * N] * 4 + [[True] * N]


@pytest.mark.parametrize("mode", MODES)
def test_what_a_graph_returned_is_never_written_again(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    use_fake_graphs(monkeypatch)
    envs = captured("PenalizedModel-v0", autoreset_mode=mode)
    kept: list[Any] = [envs.reset(seed=0)]
    kept += [envs.step(torch.zeros(N, 1)) for _ in range(WARM_UP_CALLS - 1)]  # in Disabled, none is over
    envs.reset()
    kept += [envs.step(torch.zeros(N, 1)) for _ in range(2)]
    kept.append(envs.reset(options={"reset_mask": torch.ones(N, dtype=torch.bool)}))
    before = to_numpy(kept)
    for _ in range(2):
        envs.step(torch.ones(N, 1))
    assert equal(to_numpy(kept), before)
    pointers = [leaf.data_ptr() for leaf in leaves(kept)]
    assert len(pointers) > 20
    assert len(set(pointers)) == len(pointers)


@pytest.mark.parametrize("env_id", IDS)
def test_the_state_stays_where_a_graph_has_found_it(env_id: str) -> None:
    """Otherwise a replay would write to memory that nobody reads any more."""
    envs = make(env_id, member="episode")
    envs.reset(seed=0)
    before = {name: value.data_ptr() for name, value in state(envs).items()}
    moments(envs)
    envs.reset(options={"obs": np.zeros((N, 2), np.float32)})
    envs.reset(seed=3, options={"reset_mask": np.ones(N, np.bool_)})
    assert {name: value.data_ptr() for name, value in state(envs).items()} == before
    assert {"obs", "elapsed", "_kept", "replaced"} <= set(before)
    assert ("monitor._steps" in before) == (env_id == "PessimisticModel-v0")


def on_meta(value: Any) -> Any:
    """The same parts on PyTorch's meta device, where a tensor has a shape and no numbers."""
    if isinstance(value, EnsembleDynamics):
        return value.copy().requires_grad_(False).to("meta")
    if isinstance(value, Tensor):
        return value.to("meta")
    if isinstance(value, Assembly):
        return Assembly(on_meta(value.mdp), on_meta(value.starts), value.transitions, value.method)
    if type(value) in (list, tuple):
        return type(value)(map(on_meta, value))
    if is_dataclass(value) and not isinstance(value, Transitions | type):
        return replace(value, **{field.name: on_meta(getattr(value, field.name)) for field in fields(value)})
    return value


@pytest.mark.parametrize("precision", ["float32", "tf32", "bfloat16"])
@pytest.mark.parametrize(("env_id", "member"), KINDS)
def test_nothing_is_looked_at_on_the_host(
    env_id: str, member: str, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look at a number that is not there raises; a graph cannot be captured around one either."""
    monkeypatch.setattr(assembly, "predictor", lambda name, device: PRECISIONS[name])  # as on a GPU
    envs = make(env_id, precision=precision).unwrapped
    assert envs.mdp.members.predictor is PRECISIONS[precision]
    parts = on_meta(envs.assembly)
    with monkeypatch.context() as patch:
        patch.setattr(torch, "Generator", lambda device: None)  # the meta device has none of its own
        episodes = Episodes(N, parts, max_steps=3, reports=True)
    rows = torch.ones(N, dtype=torch.bool, device="meta")
    for _ in range(2):
        assert episodes.restart(rows).shape == (N, 2)
        outcome, infos = episodes.advance(torch.zeros(N, 1, device="meta"))
        assert [value.shape for value in outcome] == [(N, 2), (N,), (N,), (N,)]
        assert all(value.device.type == "meta" for value in (*outcome, *infos.values()))
    with pytest.raises(RuntimeError, match="meta"):
        assert int(episodes.total_exploded) == 0  # such a look


def test_weights_change_where_a_graph_reads_them() -> None:
    """`load_state_dict` and an optimizer write in place; RAMBO's adversary uses nothing else."""
    ensemble = make("AdversarialModel-v0").unwrapped.ensemble
    before = [value.data_ptr() for value in ensemble.state_dict().values()]
    ensemble.load_state_dict({name: value + 1 for name, value in ensemble.state_dict().items()})
    optimizer = torch.optim.Adam(ensemble.parameters(), lr=0.1)
    ensemble.heads[0].weight.sum().backward()
    optimizer.step()
    assert [value.data_ptr() for value in ensemble.state_dict().values()] == before


def on_cuda(env_id: str, **changes: Any) -> Any:
    return make(env_id, device="cuda", num_envs=300, **changes)


def run(envs: Any, n_steps: int = 10) -> list[Any]:
    kept: list[Any] = [envs.reset(seed=5)]
    for i in range(n_steps):
        kept.append(envs.step(torch.full((300, 1), 0.1 * i, device="cuda")))
    kept.append(envs.reset(seed=5))
    kept.append(envs.step(torch.zeros((300, 1), device="cuda")))
    return kept


@needs_cuda
@pytest.mark.parametrize("precision", ["float32", "tf32", "bfloat16"])
@pytest.mark.parametrize(("env_id", "member"), KINDS)
def test_on_cuda_a_graph_gives_the_numbers_of_plain_steps(env_id: str, member: str, precision: str) -> None:
    """The same draws; the products may round otherwise. Before the graph, while it runs, and after a seed."""
    options = {"member": member, "precision": precision}
    graphs, plain = on_cuda(env_id, **options), on_cuda(env_id, capture=False, **options)
    for a, b in zip(leaves(run(graphs)), leaves(run(plain)), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3)
    assert graphs.unwrapped._step._replay is not None
    assert graphs.unwrapped._restart._replay is not None
    assert not plain.unwrapped._captures


@pytest.mark.skipif(
    not torch.cuda.is_available() or obstacle(toy_ensemble().to("cuda")) is not None,
    reason="needs a GPU that the kernel is for, and Triton",
)
@pytest.mark.parametrize("precision", ["float32", "tf32", "bfloat16"])
@pytest.mark.parametrize("env_id", ["LearnedModel-v0", "PenalizedModel-v0", "AdversarialModel-v0"])
def test_on_cuda_one_kernel_for_all_layers_gives_the_same_steps(env_id: str, precision: str) -> None:
    """Also in a graph, whose warm-up compiles the kernel."""
    fused, plain = (on_cuda(env_id, precision=precision, fused=fused) for fused in (True, False))
    for a, b in zip(leaves(run(fused)), leaves(run(plain)), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3)
    assert fused.unwrapped._step._replay is not None
    assert fused.unwrapped.mdp.members.predictor is not PRECISIONS[precision]


def step_without_waiting(envs: Any, actions: Tensor) -> None:
    """Take steps, and fail where one of them waits for the device."""
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(5):
            envs.step(actions)
    finally:
        torch.cuda.set_sync_debug_mode("default")


@needs_cuda
def test_on_cuda_nothing_returned_is_written_again_or_waited_for() -> None:
    envs = on_cuda("PenalizedModel-v0", precision="bfloat16")
    kept = run(envs, n_steps=WARM_UP_CALLS + 3)
    before = to_numpy(kept)
    actions = torch.zeros((300, 1), device="cuda")
    step_without_waiting(envs, actions)
    assert equal(to_numpy(kept), before)


@needs_cuda
def test_on_cuda_plain_steps_do_not_wait_either() -> None:
    envs = on_cuda("PessimisticModel-v0", capture=False)
    run(envs)
    actions = torch.zeros((300, 1), device="cuda")
    step_without_waiting(envs, actions)


@needs_cuda
def test_on_cuda_a_rule_that_waits_is_stepped_without_a_graph() -> None:
    def rule(obs: Tensor, action: Tensor, next_obs: Tensor) -> Tensor:
        return next_obs[:, 0] > next_obs[:, 0].max().item()

    envs, plain = (on_cuda("LearnedModel-v0", termination=rule, capture=capture) for capture in (True, False))
    with pytest.warns(UserWarning, match="No CUDA graph of the step of a vector environment"):
        found = run(envs)
    for a, b in zip(leaves(found), leaves(run(plain)), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3)
