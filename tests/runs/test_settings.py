import json
from typing import Any

import pytest

from offline_envs.errors import SettingsError
from offline_envs.runs import ModelBased, TrainSettings, algorithm


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"algorithm": "ppo"}, "Unknown algorithm 'ppo'. Valid: awac, bc, bcq, "),
        ({"agent": "ppo"}, "Unknown agent 'ppo'. Valid: combo, crossq, ddpg, dqn, fastsac"),
        ({"penalty": "fear"}, "Unknown penalty 'fear'"),
        ({"penalty_scale": "mean"}, "Unknown penalty_scale 'mean'"),
        ({"penalty_members": "some"}, "Unknown penalty_members 'some'"),
        ({"start": "end"}, "Unknown start 'end'"),
        ({"termination": "maybe"}, "Unknown termination 'maybe'"),
        ({"gradient_steps": 0}, "gradient_steps must be at least 1, got 0"),
        ({"gradient_steps": 1.5}, "gradient_steps must be of type int, got 1.5"),
        ({"horizon": True}, "horizon must be of type int, got True"),
        ({"n_envs": "many"}, "n_envs must be of type int, got 'many'"),
        ({"penalty_coef": float("nan")}, "penalty_coef must be finite"),
        ({"penalty_coef": -1}, "penalty_coef must be 0 or more"),
        ({"transitions_per_gradient_step": 0}, "must be positive"),
        ({"real_ratio": 2}, "real_ratio must be between 0 and 1, got 2"),
        ({"seed": -1}, "seed must lie in 0"),
        ({"adversary": {"adv_weight": 1.0}}, "adversary is a setting of rambo, not of mopo"),
        ({"algorithm": "bc", "env_settings": {"kappa": 1}}, "not of bc"),
        ({"rollout_actions": "random"}, "Unknown rollout_actions 'random'. Valid: policy, uniform"),
        ({"rollout_actions": "uniform", "algorithm": "bc"}, "bc has no rollouts, so rollout_actions must be"),
        ({"rollout_actions": "uniform", "agent": "trpo", "n_envs": 4}, "needs an agent with a replay buffer"),
        ({"env_settings": {"penalty_coef": 9}}, "env_settings cannot hold 'penalty_coef'"),
        ({"env_settings": {"max_episode_steps": 9}}, "env_settings cannot hold 'max_episode_steps'"),
        ({"algorithm": "morel", "env_settings": {"gamma": 0.9}}, "env_settings cannot hold 'gamma'"),
        ({"clone_epochs": -1}, "clone_epochs must be 0 or more, got -1"),
        ({"clone_loss": "mode"}, "Unknown clone_loss 'mode'. Valid: likelihood, mean"),
        ({"clone_loss": "likelihood", "agent": "td3"}, "and td3's is deterministic. Use 'mean'."),
        ({"agent": "trpo", "transitions_per_gradient_step": 499}, "must be at least n_envs=500, got 499"),
        (
            {"agent": "trpo", "n_envs": 10_000, "transitions_per_gradient_step": 25_000.0},
            "multiple of n_envs=10000, got 25000.0. The nearest are 20000 and 30000.",
        ),
        (
            {"agent": "trpo", "transitions_per_gradient_step": 24_750},  # 250 from both, which is 1.01 %
            "multiple of n_envs=500, got 24750.0. The nearest are 24500 and 25000.",
        ),
        ({"model": 3}, "model must be of type str | None, got 3"),
        ({"ensemble": [1]}, "ensemble must be settings by name"),
        ({"ensemble": {"hiden": [8]}}, "Unknown setting of EnsembleSettings 'hiden'"),
        ({"fit": {"max_epochs": "few"}}, "fit has a value of the wrong type"),
        ({"agent_options": {"policy_kwargs": {"f": print}}}, "agent_options must hold only what JSON can"),
        ({"model": "folder", "fit": {"seed": 1}}, "ensemble and fit cannot be given with it"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        TrainSettings(**{"dataset": "a-v0", **changes})
    assert message in str(caught.value)


def test_an_unknown_name_lists_the_valid_ones() -> None:
    with pytest.raises(
        SettingsError, match=r"Unknown setting of TrainSettings 'stepps'\. Valid: adversary, "
    ):
        TrainSettings.from_json({"dataset": "a-v0", "stepps": 3})


def test_settings_survive_a_file() -> None:
    """Tuples become lists in JSON, and whole numbers may stand for others; both must compare as equal."""
    settings = TrainSettings(
        "a-v0",
        penalty_coef=2,
        ensemble={"hidden": (8, 8)},
        agent_options={"policy_kwargs": {"net_arch": (4,)}},
    )
    assert TrainSettings.from_json(json.loads(json.dumps(settings.to_json()))) == settings
    assert settings.to_json()["penalty_coef"] == 2.0


def test_mopos_ratio_is_the_default() -> None:
    assert TrainSettings("a-v0", horizon=3).transitions_ratio == 150
    assert TrainSettings("a-v0", transitions_per_gradient_step=2).transitions_ratio == 2


def env_options(settings: TrainSettings) -> dict[str, Any]:
    chosen = algorithm(settings.algorithm)
    assert isinstance(chosen, ModelBased)
    return chosen.make_vec_options(settings)


def test_only_mopo_hands_a_penalty_to_the_environment() -> None:
    mopo = env_options(TrainSettings("a-v0", penalty_coef=3, horizon=7))
    mbpo = env_options(TrainSettings("a-v0", algorithm="mbpo"))
    assert mopo["penalty_coef"] == 3
    assert mopo["max_episode_steps"] == 7
    assert set(mopo) - set(mbpo) == {"penalty_coef", "penalty", "penalty_members", "penalty_scale"}


def test_an_algorithm_brings_its_own_defaults() -> None:
    morel = TrainSettings.for_algorithm({"dataset": "a-v0", "algorithm": "morel", "horizon": 7})
    assert (morel.agent, morel.horizon, morel.start, morel.clone_epochs) == ("trpo", 7, "initial", 5)
    assert morel.agent_options["gamma"] == 0.999
    assert morel.cycle().keywords == {"n_steps": 50}
    assert (morel.cycle().timesteps, morel.cycle().gradient_steps) == (25_000, 1)
    assert TrainSettings.for_algorithm({"dataset": "a-v0"}) == TrainSettings("a-v0")


def test_an_algorithm_with_another_agent_leaves_that_agent_its_own_options() -> None:
    sac = TrainSettings.for_algorithm({"dataset": "a-v0", "algorithm": "morel", "agent": "sac"})
    assert (sac.agent_options, sac.horizon, sac.transitions_ratio) == ({}, 500, 250)


@pytest.mark.parametrize("name", ["mopo", "mbpo"])
def test_trpo_learns_from_whole_episodes_whatever_the_model(name: str) -> None:
    """A million steps of 250 transitions, as SAC takes them, would be steps on noise."""
    run = TrainSettings.for_algorithm({"dataset": "a-v0", "algorithm": name, "agent": "trpo"})
    assert (run.horizon, run.start, run.gradient_steps, run.eval_every) == (500, "initial", 500, 10)
    assert (run.cycle().timesteps, run.cycle().keywords) == (25_000, {"n_steps": 250})


def test_an_unknown_algorithm_is_refused_by_name() -> None:
    with pytest.raises(SettingsError, match=r"Unknown algorithm 'ppo'\. Valid: awac, bc"):
        TrainSettings.for_algorithm({"dataset": "a-v0", "algorithm": "ppo"})


def test_only_what_the_environment_takes_is_handed_to_it() -> None:
    options = env_options(TrainSettings("a-v0", algorithm="morel", env_settings={"kappa": 3}))
    assert options["kappa"] == 3
    assert "penalty_coef" not in options


@pytest.mark.parametrize(
    "values",
    [
        {"algorithm": "mbpo", "penalty_coef": 7.0},
        {"algorithm": "bc", "horizon": 3},
        {"algorithm": "bc", "rollout_actions": "uniform"},
        {"algorithm": "mopo", "adversary_every": 3},
    ],
)
def test_what_an_algorithm_does_not_use_is_refused(values: dict[str, Any]) -> None:
    name = next(name for name in values if name != "algorithm")
    with pytest.raises(SettingsError, match=f"{name}: {values['algorithm']} does not use that"):
        TrainSettings.for_algorithm({"dataset": "a-v0", **values})


@pytest.mark.parametrize(
    ("values", "idle"),
    [
        ({"algorithm": "mbpo", "penalty_coef": 7.0, "penalty_scale": "data"}, "penalty_coef, penalty_scale"),
        ({"algorithm": "bc", "horizon": 3, "model": "a-folder"}, "horizon, model"),
        ({"algorithm": "mopo", "adversary_every": 3}, "adversary_every"),
        ({"algorithm": "cql", "agent": "td3", "agent_options": {"gamma": 0.9}}, "agent, agent_options"),
    ],
)
def test_settings_that_the_algorithm_would_ignore_are_refused_wherever_they_are_made(
    values: dict[str, Any], idle: str
) -> None:
    with pytest.raises(SettingsError, match=f"{idle}: {values['algorithm']} does not use that. Remove it."):
        TrainSettings("a-v0", **values)


def test_what_an_agent_does_not_use_is_refused_by_its_name() -> None:
    """TRPO has no replay buffer that rows of the dataset could be mixed into; MOReL takes TRPO by default."""
    with pytest.raises(SettingsError, match=r"real_ratio: mopo with agent trpo does not use that\. Remove"):
        TrainSettings("a-v0", agent="trpo", n_envs=250, real_ratio=0.5)
    with pytest.raises(SettingsError, match=r"real_ratio: morel with agent trpo does not use that\. Remove"):
        TrainSettings.for_algorithm({"dataset": "a-v0", "algorithm": "morel", "real_ratio": 0.5})


def test_uniform_rollouts_are_for_every_model_and_not_for_trpo() -> None:
    """RAMBO's release has them on most AntMaze datasets; MOReL's agent by default is TRPO."""
    values = {"dataset": "a-v0", "rollout_actions": "uniform"}
    for more in ({}, {"algorithm": "mbpo"}, {"algorithm": "rambo"}, {"algorithm": "morel", "agent": "tqc"}):
        assert TrainSettings.for_algorithm({**values, **more}).rollout_actions == "uniform"
    with pytest.raises(SettingsError, match="such as sac: trpo learns only from actions of its own policy"):
        TrainSettings.for_algorithm({**values, "algorithm": "morel"})


def test_a_changed_option_leaves_the_others_as_the_algorithm_has_them() -> None:
    values = {"dataset": "a-v0", "algorithm": "morel", "agent_options": {"learning_rate": 1e-4}}
    options = TrainSettings.for_algorithm(values).agent_options
    assert options["learning_rate"] == 1e-4
    assert options["gamma"] == 0.999


def test_a_halt_for_ever_is_discounted_as_the_agent_discounts() -> None:
    morel = TrainSettings.for_algorithm({"dataset": "a-v0", "algorithm": "morel"})
    assert env_options(morel)["gamma"] == 0.999
    assert "gamma" not in env_options(TrainSettings("a-v0"))
