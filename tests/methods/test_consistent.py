"""`ConsistentModel-v0`: candidates chosen by a dynamics reward, and rollouts that end where it is low."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from torch import Tensor

import offline_envs  # noqa: F401  registers the environments
from offline_envs.consistency import store
from offline_envs.dynamics import MEASURES, Prediction
from offline_envs.envs import assembly
from offline_envs.errors import CheckpointError, SettingsError
from offline_envs.mdp import Step, mdp
from offline_envs.methods import Consistent, EndInconsistent, InTurn, Penalize, Plain, consistent
from tests.consistency.gaussians import recorded, shifted_model
from tests.methods.rows import four_rows
from tests.toy import PENALTIES, counting_ensemble, toy_ensemble, toy_options

ID = "ConsistentModel-v0"
QUICK = {"hidden": [8], "n_snapshots": 2, "steps": 4, "batch_size": 4}


def options(**changes: Any) -> dict[str, Any]:
    return toy_options(discriminator=QUICK, **changes)


class LeftOfThree:
    """A dynamics reward by hand: 1.2 left of 3, and 0.4 from there on."""

    def __call__(self, obs: Tensor, action: Tensor, next_obs: Tensor) -> Tensor:
        assert len(obs) == len(action)
        return torch.where(next_obs[:, 0] < 2.5, 1.2, 0.4)


@pytest.fixture
def by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consistent, "fitted_dynamics_reward", lambda *a, **k: LeftOfThree())


@pytest.mark.usefixtures("by_hand")
@pytest.mark.parametrize(("how", "flags"), [("truncate", (False, True)), ("terminate", (True, False))])
def test_a_rollout_ends_where_the_dynamics_reward_is_low(how: str, flags: tuple[bool, bool]) -> None:
    """From 0 one to the right at each step: the third step is inconsistent, its reward the model's own."""
    env = gym.make(ID, on_inconsistent=how, **options(model=counting_ensemble()))
    env.reset(seed=0, options={"obs": np.zeros(2, np.float32)})
    steps = [env.step(np.zeros(1, np.float32)) for _ in range(3)]
    assert [step[2:4] for step in steps] == [(False, False), (False, False), flags]
    assert [info["dynamics_reward"] for *_, info in steps] == pytest.approx([1.2, 1.2, 0.4])
    assert [round(float(reward)) for _, reward, *_ in steps] == [1, 1, 1]


@pytest.mark.usefixtures("by_hand")
def test_the_rows_of_a_batch_end_and_restart_each_for_itself() -> None:
    given = options(model=counting_ensemble(), output="torch", step_infos=True, autoreset_mode="SameStep")
    envs = gym.make_vec(ID, num_envs=3, **given)
    envs.reset(seed=0, options={"obs": np.array([[0, 0], [1, 0], [2, 0]], np.float32)})
    action = np.zeros((3, 1), np.float32)
    _, _, terminations, truncations, infos = envs.step(action)
    assert not terminations.any()
    assert truncations.tolist() == [False, False, True]
    assert infos["final_obs"][:, 0].round().tolist() == [1.0, 2.0, 3.0]
    assert infos["dynamics_reward"].tolist() == pytest.approx([1.2, 1.2, 0.4])


@pytest.mark.usefixtures("by_hand")
def test_a_threshold_below_every_reward_never_ends_a_rollout() -> None:
    given = options(model=counting_ensemble(), max_episode_steps=-1)
    env = gym.make(ID, min_dynamics_reward=0, **given)
    plain = gym.make("LearnedModel-v0", **toy_options(model=counting_ensemble(), max_episode_steps=-1))
    for made in (env, plain):
        made.reset(seed=0, options={"obs": np.zeros(2, np.float32)})
    for _ in range(9):
        mine, theirs = (made.step(np.zeros(1, np.float32)) for made in (env, plain))
        assert mine[2:4] == theirs[2:4] == (False, False)
        np.testing.assert_allclose(mine[0], theirs[0], atol=1e-3)  # up to the toy's noise


def ended(end: EndInconsistent, step: Step) -> Step:
    n = len(step.reward)
    nothing: Any = None
    return end(torch.zeros(n, 2), torch.zeros(n, 1), step, nothing, torch.Generator())


@pytest.mark.parametrize("least", [-torch.inf, 0.0])
def test_without_a_threshold_nothing_changes_but_the_extras(least: float) -> None:
    step = four_rows()
    found = ended(EndInconsistent(lambda o, a, n: torch.full((4,), 0.3), least, "truncated"), step)
    assert all(map(torch.equal, found[:-1], step[:-1]))


def test_exploded_rows_are_left_alone() -> None:
    """The last two of four exploded; they are terminated already, and must not be bootstrapped."""
    found = ended(EndInconsistent(lambda o, a, n: torch.full((4,), 0.3), 0.6, "truncated"), four_rows())
    assert found.truncated.tolist() == [True, True, False, False]
    assert torch.equal(found.terminated, four_rows().terminated)
    assert torch.equal(found.reward, four_rows().reward)


def test_rows_that_end_by_themselves_are_not_truncated_as_well() -> None:
    """A value after a termination would be bootstrapped by those who look at truncations alone."""
    step = four_rows()._replace(terminated=torch.tensor([True, False, True, True]))
    found = ended(EndInconsistent(lambda o, a, n: torch.full((4,), 0.3), 0.6, "truncated"), step)
    assert found.truncated.tolist() == [False, True, False, False]


@pytest.mark.parametrize("members", ["all", "elites"])
def test_mopos_penalty_beside_it(members: str) -> None:
    env = gym.make(ID, penalty_coef=0.5, penalty_members=members, **options())
    env.reset(seed=0)
    *_, info = (step := env.step(np.zeros(1, np.float32)))
    assert info["penalty"] == pytest.approx(0.5 * PENALTIES["max_std", members], rel=1e-5)
    assert step[1] == pytest.approx(info["raw_reward"] - info["penalty"], rel=1e-5)
    assert 0.313 < info["dynamics_reward"] < 1.314
    made: Any = env.unwrapped
    assert made.mdp.members.n_members == (3 if members == "all" else 2)


def test_without_a_penalty_only_elites_are_asked_whatever_the_measure() -> None:
    env: Any = gym.make(ID, penalty="ensemble_std", **options(model=toy_ensemble(elites=(1,)))).unwrapped
    assert env.mdp.members.n_members == 1
    with pytest.raises(SettingsError, match="compares members, but a single one is measured"):
        gym.make(
            ID,
            penalty="ensemble_std",
            penalty_coef=1.0,
            penalty_members="elites",
            **options(model=toy_ensemble(elites=(1,))),
        )


def test_a_model_of_one_member_of_another_kind() -> None:
    envs = gym.make_vec(
        ID,
        num_envs=300,
        dataset=recorded(),
        model=shifted_model(),
        termination="never",
        discriminator={**QUICK, "steps": 300, "learning_rate": 3e-3},
        n_samples=8,
        min_dynamics_reward=0.0,
        output="torch",
    )
    obs, _ = envs.reset(seed=0)
    moved = envs.step(np.zeros((300, 1), np.float32))[0] - obs
    assert moved.mean() > 0.2  # towards the recorded steps: the model's own mean is 0, theirs 0.5


def test_a_function_as_a_model_shares_one_dynamics_reward_too() -> None:
    def moved(obs: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        return obs + action, obs[:, 0]

    made: Any = gym.make(ID, **options(model=moved)).unwrapped
    assert made.mdp.sampler.score is made.mdp.transform.reward
    made.reset(seed=0)
    assert 0.313 < made.step(np.ones(1, np.float32))[4]["dynamics_reward"] < 1.314


def test_discriminators_are_trained_once_and_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    def counted(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            calls.append(name)
            return real(*args, **kwargs)

        return call

    for name in ("fit_dynamics_reward", "load_dynamics_reward"):
        monkeypatch.setattr(store, name, counted(name, getattr(store, name)))
    env: Any = gym.make(ID, cache_dir=str(tmp_path), **options()).unwrapped
    assert env.mdp.sampler.score is env.mdp.transform.reward
    again: Any = gym.make_vec(ID, num_envs=2, cache_dir=str(tmp_path), **options()).unwrapped
    assert again.mdp.sampler.score is env.mdp.sampler.score
    assert calls == ["fit_dynamics_reward", "load_dynamics_reward"]


def test_damaged_discriminators_are_refused(tmp_path: Path) -> None:
    gym.make(ID, cache_dir=str(tmp_path), **options())
    (path,) = (tmp_path / "discriminators").iterdir()
    path.write_bytes(b"?")
    with pytest.raises(CheckpointError, match=f"Delete {path} to compute it again"):
        gym.make(ID, cache_dir=str(tmp_path), **options())


def test_a_batch_gives_what_its_rows_give_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the same random numbers, which are drawn for the whole batch."""
    made: Any = gym.make(ID, penalty_coef=0.5, **options()).unwrapped
    obs, action = torch.randn(30, 2, generator=torch.Generator().manual_seed(0)), torch.zeros(30, 1)
    whole = made.mdp.step(obs, action, torch.Generator().manual_seed(1))
    monkeypatch.setattr(mdp, "CPU_CHUNK", 1)
    alone = made.mdp.step(obs, action, torch.Generator().manual_seed(1))
    for name in ("next_obs", "reward", "terminated", "truncated"):
        torch.testing.assert_close(getattr(alone, name), getattr(whole, name), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(alone.extras, whole.extras, rtol=1e-5, atol=1e-5)


def test_settings_are_checked_when_they_are_made() -> None:
    for values, message in (
        ({"n_samples": 0}, "n_samples must be at least 1, got 0"),
        ({"selection": "best"}, "Unknown selection 'best'. Valid: argmax, softmax"),
        ({"temperature": 0.0}, "temperature must be above 0, got 0.0. For the candidate of the highest"),
        ({"min_dynamics_reward": float("-inf")}, "min_dynamics_reward must be finite, got -inf"),
        ({"on_inconsistent": "halt"}, "Unknown on_inconsistent 'halt'. Valid: terminate, truncate"),
        ({"penalty_coef": -1.0}, "penalty_coef must be 0 or more, got -1.0"),
        ({"discriminator": {"steps": 1}}, "steps must be at least n_snapshots=10, got 1"),
        ({"discriminator": {"width": 1}}, "Unknown setting of DiscriminatorSettings 'width'"),
    ):
        with pytest.raises(SettingsError, match=message.replace(".", r"\.")):
            Consistent.from_json(values)


def test_a_setting_that_would_do_nothing_is_refused() -> None:
    with pytest.raises(SettingsError, match="member='episode' has no effect with Consistent"):
        gym.make(ID, member="episode", **options())
    assert Consistent().samples
    assert not Plain().samples


def test_known_columns_are_refused_before_a_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Discriminators would tell every step by a column without noise, and the filter would filter nothing."""
    monkeypatch.setattr(assembly, "fitted_ensemble", None)
    with pytest.raises(SettingsError, match=r"Consistent compares samples .* got known={1: 'kept'}\. Leave"):
        gym.make(ID, **options(model=None, known={1: "kept"}))


def test_a_known_reward_changes_nothing_that_is_compared() -> None:
    """Discriminators see observations and actions only."""
    plain: Any = gym.make(ID, **options()).unwrapped
    known: Any = gym.make(ID, known={}, **options(reward=lambda obs, action, next_obs: obs[:, 0])).unwrapped
    generator = torch.Generator().manual_seed(0)
    steps = [torch.randn(20, n, generator=generator) for n in (2, 1, 2)]
    assert torch.equal(known.mdp.transform.reward(*steps), plain.mdp.transform.reward(*steps))


def test_transforms_in_turn_see_what_the_one_before_left() -> None:
    prediction = Prediction(torch.zeros(1, 4, 3), torch.ones(1, 4, 3))
    one = Penalize(1.0, MEASURES["max_std"])
    step, obs, action = four_rows(), torch.zeros(4, 2), torch.zeros(4, 1)
    generator = torch.Generator()
    twice = InTurn((one, one))(obs, action, step, prediction, generator)
    by_hand = one(obs, action, one(obs, action, step, prediction, generator), prediction, generator)
    assert torch.equal(twice.reward, by_hand.reward)
    assert twice.penalty[0].item() == pytest.approx(2 * 3**0.5)
    end = EndInconsistent(lambda o, a, n: torch.full((4,), 0.3), 0.6, "truncated")
    both = InTurn((one, end))
    assert list(both.infos(both(obs, action, step, prediction, generator))) == ["dynamics_reward"]
