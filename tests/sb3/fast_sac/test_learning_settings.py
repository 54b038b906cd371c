"""The settings in which codes of offline papers differ from SAC, against SB3's SAC with a changed part."""

from pathlib import Path
from typing import Any

import pytest
import torch
from stable_baselines3 import SAC
from stable_baselines3.common.utils import update_learning_rate

from offline_envs.errors import SettingsError
from offline_envs.sb3 import FastSAC, check_values
from tests.kernels.test_rounding import has_amx
from tests.sb3.fast_sac.agents import assert_same, double_precision, make, numbers, reloaded

HALF_WAY = 0.5


class ThreeRates(SAC):
    """SAC with learning rates set by hand: half-way through a training, with a cosine 0.5 of the actor's."""

    rates = (0.5 * 4e-3, 2e-3, 7e-3)

    def _update_learning_rate(self, optimizers: Any) -> None:
        for optimizer, rate in zip(optimizers, self.rates, strict=True):
            update_learning_rate(optimizer, rate)


class NoEntropy(SAC):
    """SAC whose log-probabilities are 0 at each second call in training: at the next observations."""

    def train(self, gradient_steps: int, batch_size: int = 64) -> None:
        sample, calls = self.actor.action_log_prob, []

        def patched(obs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            calls.append(obs)
            action, log_prob = sample(obs)
            return action, log_prob if len(calls) % 2 else torch.zeros_like(log_prob)

        self.actor.action_log_prob = patched  # type: ignore[assignment, method-assign]
        super().train(gradient_steps, batch_size)
        del self.actor.action_log_prob


def train_both(ours: SAC, theirs: SAC) -> None:
    for agent in (ours, theirs):
        agent.set_random_seed(3)
        agent._current_progress_remaining = HALF_WAY
        agent.train(5, batch_size=16)
        agent.train(5, batch_size=16)


def test_learning_rates_apart_and_a_cosine_of_the_actors() -> None:
    settings: dict[str, Any] = {
        "actor_learning_rate": 4e-3,
        "critic_learning_rate": lambda left: 4e-3 * left,
        "temperature_learning_rate": 7e-3,
        "actor_schedule": "cosine",
    }
    with double_precision():
        ours, theirs = make(FastSAC, **settings), make(ThreeRates)
        train_both(ours, theirs)
    assert_same(numbers(ours), numbers(theirs), 1e-10)
    logged = ours.logger.name_to_value
    named = [logged[f"train/{name}_learning_rate"] for name in ("actor", "critic", "temperature")]
    assert named == pytest.approx(list(ThreeRates.rates))


@pytest.mark.parametrize(("left", "factor"), [(1.0, 1.0), (0.75, 0.5 + 0.5**1.5), (0.5, 0.5), (0.0, 0.0)])
def test_the_cosine_falls_from_the_given_rate_to_zero(left: float, factor: float) -> None:
    agent = make(FastSAC, learning_rate=0.01, actor_schedule="cosine")
    agent._current_progress_remaining = left
    agent.train(1, batch_size=16)
    assert agent.actor.optimizer.param_groups[0]["lr"] == pytest.approx(0.01 * factor, abs=1e-15)
    assert agent.critic.optimizer.param_groups[0]["lr"] == 0.01


def test_targets_without_entropy() -> None:
    with double_precision():
        ours, theirs = make(FastSAC, entropy_backup=False), make(NoEntropy)
        train_both(ours, theirs)
    assert_same(numbers(ours), numbers(theirs), 1e-10)


def test_a_bounded_temperature_is_the_bound_where_it_would_be_more() -> None:
    """With its logarithm held at log 2, the coefficient in use is a constant 0.5."""
    with double_precision():
        ours = make(FastSAC, ent_coef="auto_2.0", temperature_learning_rate=0.0, max_ent_coef=0.5)
        theirs = make(SAC, ent_coef=0.5)
        train_both(ours, theirs)
    policy = {name: value for name, value in numbers(ours).items() if name.startswith("policy")}
    assert_same(policy, {name: numbers(theirs)[name] for name in policy}, 1e-10)
    assert ours.logger.name_to_value["train/ent_coef"] == 0.5


def test_a_bound_that_is_never_met_changes_nothing() -> None:
    ours, theirs = make(FastSAC, max_ent_coef=10.0), make(FastSAC)
    train_both(ours, theirs)
    assert_same(numbers(ours), numbers(theirs))


def test_given_defaults_change_nothing() -> None:
    own: dict[str, Any] = {
        "actor_learning_rate": 3e-4,
        "critic_learning_rate": 3e-4,
        "temperature_learning_rate": 3e-4,
    }
    ours, theirs = make(FastSAC, **own), make(FastSAC)
    train_both(ours, theirs)
    assert_same(numbers(ours), numbers(theirs))


@pytest.mark.skipif(not has_amx(), reason="needs a processor with AMX")
def test_bfloat16_rounds_products_by_less_than_a_percent() -> None:
    agents = make(FastSAC), make(FastSAC, precision="bfloat16")
    for agent in agents:
        agent.set_random_seed(3)
        agent.train(10, batch_size=16)
    losses = [agent.logger.name_to_value["train/critic_loss"] for agent in agents]
    assert losses[0] != losses[1]
    assert losses[1] == pytest.approx(losses[0], rel=1e-2)


def test_settings_are_saved_and_training_resumes_exactly(tmp_path: Path) -> None:
    settings: dict[str, Any] = {
        "actor_learning_rate": lambda left: 0.01 * left,
        "critic_learning_rate": 0.02,
        "actor_schedule": "cosine",
        "max_ent_coef": 0.5,
        "entropy_backup": False,
        "precision": "bfloat16",
    }
    agent = make(FastSAC, **settings)
    agent._current_progress_remaining = HALF_WAY
    agent.train(3, batch_size=16)
    loaded = reloaded(agent, FastSAC, tmp_path / "agent.zip")
    for each in (agent, loaded):
        each.set_random_seed(7)
        each.train(5, batch_size=16)
    assert_same(numbers(loaded), numbers(agent))
    assert loaded.actor.optimizer.param_groups[0]["lr"] == pytest.approx(0.01 * 0.5 * 0.5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"actor_schedule": "linear"}, "actor_schedule.*linear.*constant, cosine"),
        ({"critic_learning_rate": -0.1}, "critic_learning_rate must be at least 0, got -0.1"),
        ({"max_ent_coef": -1.0}, "max_ent_coef must be at least 0, got -1.0"),
        ({"entropy_backup": 1}, "entropy_backup must be of type bool, got 1"),
        ({"precision": "float16"}, "Unknown precision .float16.. Valid: bfloat16, float32, tf32"),
        ({"actor_learning_rate": "1e-4"}, "actor_learning_rate must be of type float .*, got '1e-4'"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        make(FastSAC, **settings)


def test_a_run_can_give_them_from_json() -> None:
    check_values(FastSAC, {"actor_learning_rate": 1e-4, "actor_schedule": "cosine", "max_ent_coef": 1})
    with pytest.raises(SettingsError, match=r"max_ent_coef must be of type float .*, got '1'"):
        check_values(FastSAC, {"max_ent_coef": "1"})
