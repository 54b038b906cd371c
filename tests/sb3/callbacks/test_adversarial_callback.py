from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from sb3_contrib import TRPO
from stable_baselines3 import PPO
from stable_baselines3.common.logger import configure
from stable_baselines3.common.vec_env import VecCheckNan, VecNormalize

from offline_envs.adversary import Adversary, AdversarySettings
from offline_envs.dynamics import EnsembleDynamics, EnsembleSettings
from offline_envs.errors import CheckpointError, SettingsError
from offline_envs.sb3 import AdversarialCallback, SB3VecEnv, agent_class
from tests.adversary.toy import FIT, fitted, two_states, weights_of
from tests.runs.test_training import interrupted
from tests.sb3.toy import WITH_CRITICS

DATA = two_states(400)
QUICK = AdversarySettings(batch_size=8, horizon=2, check_every=3, adv_weight=0.01)


@pytest.fixture(scope="module")
def model() -> EnsembleDynamics:
    return fitted(DATA, EnsembleSettings(n_members=3, n_elites=2, hidden=(8,)))


def make_envs(model: EnsembleDynamics, env_id: str = "AdversarialModel-v0", num_envs: int = 4) -> SB3VecEnv:
    envs = gym.make_vec(env_id, num_envs=num_envs, dataset=DATA, model=model, termination="never")
    return SB3VecEnv(envs)


def make_agent(envs: Any, name: str = "sac", **settings: Any) -> Any:
    """An agent that takes 2 gradient steps a cycle of 4 transitions."""
    kind: Any = agent_class(name)
    return kind(
        "MlpPolicy",
        envs,
        learning_starts=0,
        train_freq=1,
        gradient_steps=2,
        batch_size=4,
        policy_kwargs={"net_arch": [4]},
        device="cpu",
        seed=0,
        **settings,
    )


def callback_of(**changes: Any) -> AdversarialCallback:
    return AdversarialCallback(**{"settings": QUICK, "every": 4, "fit_settings": FIT, **changes})


@pytest.mark.parametrize("name", WITH_CRITICS)
def test_every_agent_moves_the_model_that_it_trains_in(name: str, model: EnsembleDynamics) -> None:
    envs, callback, before = make_envs(model), callback_of(), weights_of(model)
    make_agent(envs, name).learn(40, callback)  # 10 cycles of 2 gradient steps
    assert callback.adversary is not None
    assert callback.adversary.ensemble is envs.env.unwrapped.ensemble  # type: ignore[attr-defined]
    assert [report.n_steps for report in callback.history] == [4] * 5
    assert callback.adversary.n_steps == 20
    assert not torch.equal(weights_of(callback.adversary.ensemble), before)
    assert torch.equal(weights_of(model), before)
    assert all(np.isfinite(report).all() for report in callback.history)


@pytest.mark.parametrize(("kind", "steps_of_a_cycle"), [(TRPO, 1), (PPO, 10)])
def test_agents_with_values_of_states_move_it_too(
    kind: Any, steps_of_a_cycle: int, model: EnsembleDynamics
) -> None:
    """PPO counts its ten epochs; the update comes before the next rollouts, and at the end."""
    envs, callback, before = make_envs(model), callback_of(every=steps_of_a_cycle), weights_of(model)
    agent = kind("MlpPolicy", envs, n_steps=8, batch_size=32, device="cpu", seed=0)
    agent.learn(96, callback)  # 3 cycles of 32 transitions
    assert callback.adversary is not None
    assert [report.n_steps for report in callback.history] == [steps_of_a_cycle] * 3
    assert not torch.equal(weights_of(callback.adversary.ensemble), before)
    assert torch.equal(weights_of(model), before)
    assert all(np.isfinite(report).all() for report in callback.history)


def test_the_ratio_of_steps_is_a_setting(model: EnsembleDynamics) -> None:
    settings = AdversarySettings(batch_size=8, steps_per_update=0.5)
    callback = callback_of(settings=settings, every=6)
    make_agent(make_envs(model)).learn(40, callback)  # 20 gradient steps: 3 full intervals
    assert [report.n_steps for report in callback.history] == [3, 3, 3]


def test_two_parts_of_a_run_equal_the_complete_run(model: EnsembleDynamics, tmp_path: Path) -> None:
    """An update due at the end of the first part must happen exactly once."""
    whole, parts = callback_of(), callback_of()
    make_agent(make_envs(model)).learn(40, whole)
    agent = make_agent(make_envs(model))
    agent.learn(24, parts)
    agent.learn(16, parts, reset_num_timesteps=False)
    assert parts.adversary is not None
    assert whole.adversary is not None
    assert parts.adversary.n_steps == whole.adversary.n_steps == 20
    parts.save(tmp_path / "state")
    resumed = callback_of(state=tmp_path / "state")
    make_agent(make_envs(model)).learn(4, resumed)
    assert resumed.adversary is not None
    assert torch.equal(weights_of(resumed.adversary.ensemble), weights_of(parts.adversary.ensemble))


def test_steps_before_the_adversary_was_attached_are_not_made_up_for(model: EnsembleDynamics) -> None:
    agent, callback = make_agent(make_envs(model)), callback_of()
    agent.learn(40)
    agent.learn(8, callback, reset_num_timesteps=False)  # from 20 to 24 gradient steps
    assert [report.n_steps for report in callback.history] == [4]


@pytest.mark.parametrize("at_step", [1, 7])
@pytest.mark.parametrize("warm_up", [0, 40])
def test_an_interrupted_update_is_finished(
    at_step: int, warm_up: int, model: EnsembleDynamics, tmp_path: Path
) -> None:
    """Ctrl-C before the very first step, or within the second update; the agent may have learned before."""
    agent, callback = make_agent(make_envs(model)), callback_of()
    if warm_up:
        agent.learn(warm_up)
    with interrupted(Adversary, "_step", at_call=at_step):
        agent.learn(24, callback, reset_num_timesteps=False)
    agent.save(tmp_path / "agent.zip")
    agent.save_replay_buffer(tmp_path / "buffer.pkl")
    callback.save(tmp_path / "state")
    resumed, envs = callback_of(state=tmp_path / "state"), make_envs(model)
    loaded = type(agent).load(tmp_path / "agent.zip", env=envs)
    loaded.load_replay_buffer(tmp_path / "buffer.pkl")
    taken, left = at_step - 1, warm_up + 24 - loaded.num_timesteps
    for each in ((loaded, resumed), (agent, callback)):  # in another process, and in this one
        each[0].learn(left, each[1], reset_num_timesteps=False)
        assert each[0]._n_updates == (warm_up + 24) // 2
        assert each[1].adversary is not None
        assert each[1].adversary.n_steps == 12
    assert [report.n_steps for report in resumed.history] == [4 - taken % 4, *[4] * ((11 - taken) // 4)]


def test_steps_that_are_skipped_are_not_owed(model: EnsembleDynamics) -> None:
    """The number of due steps would grow, and every cycle would ask for them again."""
    settings = AdversarySettings(batch_size=8, adv_weight=0.0, skip_if_zero=True)
    callback, asked = callback_of(settings=settings), []
    update = Adversary.update
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Adversary, "update", lambda self, view, n: asked.append(n) or update(self, view, n))  # type: ignore[func-returns-value]
        make_agent(make_envs(model)).learn(40, callback)
    assert asked == [4] * 5
    assert [report.n_steps for report in callback.history] == [0] * 5


def test_a_state_of_other_settings_is_refused(model: EnsembleDynamics, tmp_path: Path) -> None:
    callback = callback_of()
    with pytest.raises(SettingsError, match="nothing to save"):
        callback.save(tmp_path / "state")
    agent = make_agent(make_envs(model))
    agent.learn(4, callback)
    callback.save(tmp_path / "state")
    with pytest.raises(CheckpointError, match="other fit settings"):
        agent.learn(4, callback_of(fit_settings=None, state=tmp_path / "state"))


def test_figures_reach_the_logger(model: EnsembleDynamics, tmp_path: Path) -> None:
    agent, callback = make_agent(make_envs(model)), callback_of()
    agent.set_logger(configure(str(tmp_path), ["csv"]))
    agent.learn(40, callback, log_interval=None)
    agent.logger.close()
    last, logged = callback.history[-1], agent.logger.name_to_value
    assert logged["adversary/steps"] == 20
    assert logged["adversary/stopped"] == 0
    for name in ("adversarial_loss", "log_prob", "advantage", "advantage_std", "supervised_loss"):
        assert logged[f"adversary/{name}"] == getattr(last, name)
    assert logged["adversary/holdout_ratio"] == last.holdout_ratio


def test_a_stop_is_logged_and_the_agent_continues(model: EnsembleDynamics) -> None:
    spoiling = AdversarySettings(batch_size=8, check_every=2, adv_weight=100.0, learning_rate=0.1)
    agent, callback = make_agent(make_envs(model)), callback_of(settings=spoiling, every=2)
    with pytest.warns(UserWarning, match="The adversary stopped"):
        agent.learn(80, callback, log_interval=None)
    assert agent._n_updates == 40
    assert agent.logger.name_to_value["adversary/stopped"] == 1
    assert callback.history[-1].n_steps == 0


def test_a_line_is_printed_when_asked(model: EnsembleDynamics, capsys: pytest.CaptureFixture[str]) -> None:
    make_agent(make_envs(model)).learn(8, callback_of(verbose=1))
    assert "4 gradient steps: 4 of the adversary, log-probability" in capsys.readouterr().out


def test_a_single_and_a_wrapped_environment_are_accepted(model: EnsembleDynamics) -> None:
    single = gym.make("AdversarialModel-v0", dataset=DATA, model=model, termination="never")
    for env in (single, VecCheckNan(make_envs(model))):
        callback = callback_of()
        make_agent(env).learn(8, callback)
        assert callback.adversary is not None


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_the_model_may_be_on_a_gpu_and_the_agent_on_the_cpu(model: EnsembleDynamics, tmp_path: Path) -> None:
    options: dict[str, Any] = {"dataset": DATA, "model": model, "termination": "never", "device": "cuda"}
    envs, again = (
        gym.make_vec("AdversarialModel-v0", num_envs=4, output="torch", **options) for _ in range(2)
    )
    callback, resumed = callback_of(), callback_of(state=tmp_path / "state")
    make_agent(SB3VecEnv(envs)).learn(40, callback)
    callback.save(tmp_path / "state")
    make_agent(SB3VecEnv(again)).learn(4, resumed)
    weights = [weights_of(env.unwrapped.ensemble) for env in (envs, again)]  # type: ignore[attr-defined]
    assert weights[0].device.type == "cuda"
    assert torch.equal(*weights)


def test_wrappers_that_change_what_the_agent_sees_are_refused(model: EnsembleDynamics) -> None:
    with pytest.raises(SettingsError, match="VecNormalize is in between"):
        make_agent(VecNormalize(make_envs(model))).learn(4, callback_of())


def test_settings_are_checked(model: EnsembleDynamics) -> None:
    with pytest.raises(SettingsError, match=r"every must be at least 1 .* got 0"):
        AdversarialCallback(every=0)
    with pytest.raises(SettingsError, match=r"a whole step, got 2 and 0\.1"):
        AdversarialCallback(AdversarySettings(steps_per_update=0.1), every=2)
    with pytest.raises(SettingsError, match=r"gamma must be the agent's, 0\.9, got 0\.99"):
        make_agent(make_envs(model), gamma=0.9).learn(4, callback_of())
    callback = callback_of(settings=None)
    make_agent(make_envs(model), gamma=0.9).learn(4, callback)
    assert callback.adversary is not None
    assert callback.adversary.settings.gamma == 0.9
