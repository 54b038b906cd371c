"""A mass on a spring, whose velocity is hidden or not, and other systems of which the best model is known."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Normal

from offline_envs import Transitions
from offline_envs.data import with_history
from offline_envs.diagnose import Advice, DiagnoseSettings, advise, diagnose
from offline_envs.diagnose.markov import MarkovReport
from offline_envs.dynamics import FunctionModel
from offline_envs.envs import ModelOptions, assemble
from tests.hidden import NOISE, PULL, PUSH, mass_on_a_spring

SMALL = DiagnoseSettings(rows=3000, rollouts=5, starts=5, horizon=2, train_horizon=2, episodes=1)


def report(data: Transitions, model: Any, **options: Any) -> tuple[MarkovReport, Advice | None, list[str]]:
    parts = assemble(data, options=ModelOptions(model=model, termination="never", **options))
    found = diagnose(parts, settings=SMALL)
    given = [advice for advice in advise(found) if advice.topic == "state"]
    return found.section(MarkovReport), given[0] if given else None, found.notes


def of_state(obs: Tensor, action: Tensor) -> tuple[Normal, Normal]:
    """The spring's own equations."""
    speed = obs[:, 1] - PULL * obs[:, 0] + PUSH * action[:, 0]
    mean = torch.stack([obs[:, 0] + speed, speed], dim=1)
    deviations = torch.tensor([2**0.5 * NOISE, NOISE])
    return Normal(mean, deviations), Normal(-mean[:, 0], deviations[0])


def of_position(obs: Tensor, action: Tensor) -> tuple[Normal, Normal]:
    """The same, as far as the position tells: the velocity is 0 on average, with a deviation of about 1."""
    mean = obs - PULL * obs + PUSH * action[:, :1]
    return Normal(mean, torch.tensor(1.0)), Normal(-mean[:, 0], torch.tensor(1.0))


def test_a_hidden_velocity_is_reported() -> None:
    """The velocity stays nearly the same from step to step, and two positions tell it."""
    found, advice, _ = report(mass_on_a_spring(hidden=True), of_position)
    assert found.names == ("reward", "obs[0]")
    assert (found.correlation > 0.7).all()
    assert (found.gains[2] > 0.9).all()
    assert advice is not None
    assert advice.warning
    assert advice.value == "observations do not show all of it: history=2"
    assert "reward, obs[0]" in advice.why


def test_a_state_that_is_shown_is_not() -> None:
    found, advice, _ = report(mass_on_a_spring(hidden=False), of_state)
    assert (found.correlation.abs() < found.bound).all()
    assert all((gain < 0.03).all() for gain in found.gains.values())
    assert advice is not None
    assert not advice.warning
    assert advice.value == "observations show it, as far as can be seen"


def test_with_the_history_nothing_is_hidden_any_more() -> None:
    """Two positions tell the velocity, up to noise; more of them a little more."""
    data = with_history(mass_on_a_spring(hidden=True), 2)

    def of_two_positions(obs: Tensor, action: Tensor) -> tuple[Normal, Normal]:
        before = action[:, 2:]  # the push before, then the position before
        mean = obs + (obs - before) - PULL * obs + PUSH * action[:, :1]
        return Normal(mean, torch.tensor(0.12)), Normal(-mean[:, 0], torch.tensor(0.12))

    found, advice, _ = report(data, FunctionModel(of_two_positions, 1, 3))
    assert found.history == 2
    assert found.names == ("reward", "obs[0]")
    assert all((gain < 0.5).all() for gain in found.gains.values())
    assert found.gains[2].abs().max() < 1e-4  # the model sees that already
    assert advice is not None


def delayed(steps: int, n_episodes: int = 60, n_steps: int = 60) -> Transitions:
    """The next observation is the action that many steps ago, and noise; actions are independent."""
    data = mass_on_a_spring(hidden=True, n_episodes=n_episodes, n_steps=n_steps)
    pushes = data.actions.view(n_episodes, n_steps)
    late = torch.cat([torch.zeros(n_episodes, steps), pushes[:, : n_steps - steps]], dim=1)
    late = late + 0.1 * torch.randn(late.shape, generator=torch.Generator().manual_seed(0))
    obs = torch.cat([torch.zeros(n_episodes, 1), late], dim=1)
    return replace(
        data,
        obs=obs[:, :-1].reshape(-1, 1),
        next_obs=obs[:, 1:].reshape(-1, 1),
        rewards=torch.zeros(len(data)),
    )


def test_a_delay_is_reported_though_errors_do_not_repeat() -> None:
    """The error is the action of five steps ago, which six observations have between them: eight is next."""

    def nothing(obs: Tensor, action: Tensor) -> tuple[Normal, Tensor]:
        return Normal(0 * obs, torch.tensor(0.6)), action[:, 0] * 0

    found, advice, _ = report(delayed(5), nothing)
    assert found.correlation.abs().max() < found.bound
    assert found.gains[4].max() < 0.05
    assert found.gains[8].max() > 0.9
    assert advice is not None
    assert advice.value.endswith("history=8")


def test_errors_of_the_model_itself_ask_for_no_history() -> None:
    """A wrong model of a shown state: errors that are a smooth function of it follow one another."""

    def wrong(obs: Tensor, action: Tensor) -> tuple[Normal, Normal]:
        next_obs, reward = of_state(obs, action)
        mean = next_obs.mean.clone()
        mean[:, 0] += 0.3 * (obs[:, 0] ** 2 + obs[:, 1] ** 2)
        return Normal(mean, next_obs.stddev), reward

    found, advice, _ = report(mass_on_a_spring(hidden=False), wrong)
    assert found.correlation[1] > 0.2
    assert advice is not None
    assert not advice.warning
    assert "the model's own" in advice.why


def test_known_outputs_are_left_out() -> None:
    def speed(obs: Tensor, action: Tensor, next_obs: Tensor) -> Tensor:
        return next_obs[:, 0] - obs[:, 0]

    data = mass_on_a_spring(hidden=False)
    data = replace(data, next_obs=torch.stack([data.next_obs[:, 0], data.next_obs[:, 0] - data.obs[:, 0]], 1))
    found, _, _ = report(
        data, of_state, known={1: speed}, reward=lambda obs, action, next_obs: -next_obs[:, 0]
    )
    assert found.names == ("obs[0]",)


def test_too_few_steps_are_noted() -> None:
    found, advice, notes = report(mass_on_a_spring(hidden=True, n_episodes=5, n_steps=20), of_position)
    assert advice is None
    assert found.chapters() == []
    assert any("it takes 100 held-out steps" in note for note in notes)


def test_the_figures_have_a_row_for_each_output() -> None:
    found, _, _ = report(mass_on_a_spring(hidden=True), of_position)
    rows = found.rows()
    assert [row["output"] for row in rows] == ["reward", "obs[0]"]
    assert rows[0]["correlation with the step before"] == float(found.correlation[0])
    assert rows[1]["explained by 2 observations"] == float(found.gains[2][1])
