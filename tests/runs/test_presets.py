import pytest

from offline_envs.dynamics import FitSettings
from offline_envs.errors import SettingsError
from offline_envs.runs import DEMO, DEMO_SMOKE, PRESETS, TrainSettings, merged, preset


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_a_run(name: str) -> None:
    found = preset(name)
    settings = TrainSettings.for_algorithm({"dataset": "a-v0", **found.settings})
    assert name.split("/")[0].split("-")[0] == settings.algorithm
    assert merged(settings.to_json(), found.settings) == settings.to_json()


@pytest.mark.parametrize(
    ("name", "horizon", "penalty_coef"),
    [
        ("mopo/hopper-medium-replay", 1, 5.0),
        ("mopo/walker2d-medium-expert", 1, 2.0),
        ("mopo-kit/hopper-medium-replay", 5, 2.5),
    ],
)
def test_mopos_numbers(name: str, horizon: int, penalty_coef: float) -> None:
    settings = preset(name).settings
    assert (settings["horizon"], settings["penalty_coef"]) == (horizon, penalty_coef)


def test_mopo_rolls_out_uniform_actions_on_new_tasks_and_nowhere_else() -> None:
    tasks = {name: p.settings for name, p in PRESETS.items() if "rollout_actions" in p.settings}
    found = {name: (s["task"], s["horizon"], s["penalty_coef"]) for name, s in tasks.items()}
    assert found == {
        "mopo/halfcheetah-jump": ("halfcheetah-jump", 5, 1.0),
        "mopo/ant-angle": ("ant-angle", 25, 2.0),
        "mopo-own/halfcheetah-jump": ("halfcheetah-jump", 5, 1.0),
    }


def test_the_tables_of_the_papers_are_whole() -> None:
    for family, n in (
        ("mopo", 14),
        ("mopo-kit", 9),
        ("mopo-trpo", 3),
        ("mopo-own", 3),
        ("mbpo", 12),
        ("rambo", 12),
        ("rambo-kit", 9),
        ("rambo-trpo", 1),
        ("morel", 1),
        ("mobile", 12),
        ("combo-kit", 9),
        ("ravl", 12),
        ("neubay", 3),
        ("morec", 12),
        ("morec-mobile", 12),
    ):
        assert sum(name.startswith(f"{family}/") for name in PRESETS) == n


def test_morecs_numbers() -> None:
    settings = preset("morec/hopper-random").settings
    assert (settings["penalty_coef"], settings["env_settings"]["selection"]) == (10.0, "argmax")
    assert preset("morec/walker2d-medium-replay").settings["penalty_coef"] == 0.25


@pytest.mark.parametrize(
    ("name", "schedule", "bound"),
    [
        ("mopo-kit/hopper-medium", "cosine", 1.0),
        ("morec/hopper-medium", "cosine", None),
        ("rambo/hopper-medium", None, None),
        ("rambo-kit/hopper-medium", None, 1.0),
    ],
)
def test_rates_are_those_of_the_releases(name: str, schedule: str | None, bound: float | None) -> None:
    """Actor and temperature learn at 1e-4, critics at 3e-4; MOPO's own release has 3e-4 for all."""
    run = TrainSettings.for_algorithm({"dataset": "a-v0", **preset(name).settings})
    options = run.agent_options
    assert run.agent == "fastsac"
    assert [options[f"{part}_learning_rate"] for part in ("actor", "critic", "temperature")] == [
        1e-4,
        3e-4,
        1e-4,
    ]
    assert (options.get("actor_schedule"), options.get("max_ent_coef")) == (schedule, bound)


@pytest.mark.parametrize("name", ["mopo/walker2d-medium", "mopo/hopper-medium", "mbpo/halfcheetah-medium"])
def test_mopos_agent_is_that_of_its_release(name: str) -> None:
    """All rates are 3e-4, SAC's default, and the target entropy is −3 for every body."""
    run = TrainSettings.for_algorithm({"dataset": "a-v0", **preset(name).settings})
    assert run.agent_options == {"target_entropy": -3.0}
    assert (run.agent, run.real_ratio, run.transitions_ratio) == ("sac", 0.05, 250.0)


@pytest.mark.parametrize(
    ("name", "ratio"),
    [
        ("rambo/hopper-random", 100.0),
        ("rambo-kit/walker2d-medium-expert", 400.0),
        ("ravl/hopper-random", 250.0),
    ],
)
def test_imagined_transitions_for_each_gradient_step(name: str, ratio: float) -> None:
    """50 000 rollouts of k steps every 1000 gradient steps, in OfflineRL-Kit's RAMBO every 250.

    Buffers hold the rollouts of 5000 gradient steps.
    """
    run = TrainSettings.for_algorithm({"dataset": "a-v0", **preset(name).settings})
    assert run.transitions_ratio == ratio
    buffer_size = {**run.cycle().keywords, **run.agent_options}["buffer_size"]
    assert buffer_size == 5000 * ratio


def test_what_a_preset_does_not_follow_is_said() -> None:
    silent = {name for name, found in PRESETS.items() if not found.differs}
    assert {name.split("/")[0] for name in silent} == {"mbpo", "mopo-own", "mopo-trpo", "rambo-trpo"}
    assert "the release has horizon 5 and λ 1" in preset("mopo/hopper-medium-replay").differs
    assert "between −5 and 2" in preset("mopo-kit/hopper-medium").differs


def test_rambos_adversary_rests_on_the_datasets_of_its_table() -> None:
    """Rigter et al. 2022: λ is 0 on every walker2d dataset but medium-expert, and on halfcheetah-random."""
    resting = {
        name for name, p in PRESETS.items() if p.settings.get("adversary", {}).get("adv_weight") == 0.0
    }
    assert all(PRESETS[name].settings["adversary"]["skip_if_zero"] for name in resting)
    assert {name for name in resting if name.startswith("rambo/")} == {
        "rambo/halfcheetah-random",
        "rambo/walker2d-random",
        "rambo/walker2d-medium",
        "rambo/walker2d-medium-replay",
    }


def test_rambos_release_has_a_model_and_a_clone_of_its_own() -> None:
    run = TrainSettings.for_algorithm({"dataset": "a-v0", **preset("rambo/hopper-medium").settings})
    assert (run.clone_epochs, run.clone_loss, run.standardize_obs) == (50, "likelihood", True)
    assert run.ensemble == {"logvar_bounds": [-6.0, 1.0]}
    fit = FitSettings.from_json(run.fit)
    assert (fit.learning_rate, fit.patience, fit.bound_weight, fit.holdout_share) == (3e-4, 10, 1e-3, 0.1)
    assert preset("rambo-kit/hopper-medium").settings["fit"] == {
        "learning_rate": 3e-4,
        "patience": 10,
        "bound_weight": 1e-3,
        "holdout_share": 0.1,
    }
    assert "ensemble" not in preset("rambo-kit/hopper-medium").settings


def test_morec_with_mobiles_agent_keeps_the_entropy_but_for_one_dataset() -> None:
    found = {name: p.settings for name, p in PRESETS.items() if name.startswith("morec-mobile/")}
    assert found["morec-mobile/walker2d-medium-replay"]["agent_options"]["inconsistency_coef"] == 0.1
    assert {settings["agent"] for settings in found.values()} == {"mobile"}
    without = {name for name, s in found.items() if not s["agent_options"]["entropy_backup"]}
    assert without == {"morec-mobile/hopper-random"}
    run = TrainSettings.for_algorithm({"dataset": "a-v0", **found["morec-mobile/walker2d-medium"]})
    assert (run.penalty_coef, run.agent_options["buffer_size"]) == (0.0, 1_000_000)


def test_mobiles_numbers() -> None:
    """Sun et al. 2023: fixed α on two of hopper's datasets, half of a batch real on one of halfcheetah's."""
    found = {
        name: TrainSettings.for_algorithm({"dataset": "a-v0", **PRESETS[name].settings})
        for name in PRESETS
        if name.startswith("mobile/")
    }
    settings = found["mobile/walker2d-medium"]
    assert (settings.horizon, settings.agent_options["inconsistency_coef"]) == (5, 0.5)
    assert settings.fit == {"max_epochs": 30, "standardize_targets": False}
    assert all(run.agent_options["actor_schedule"] == "cosine" for run in found.values())
    fixed = {name for name, run in found.items() if run.agent_options.get("ent_coef") == 0.2}
    assert fixed == {"mobile/hopper-medium", "mobile/hopper-medium-replay"}
    half_real = {name for name, run in found.items() if run.real_ratio == 0.5}
    assert half_real == {"mobile/halfcheetah-medium-expert"}
    assert {name for name, run in found.items() if run.horizon == 1} == {
        "mobile/walker2d-medium-replay",
        "mobile/walker2d-medium-expert",
    }


def test_combos_numbers() -> None:
    """OfflineRL-Kit's weights are of whole squares of the errors, so they count half here."""
    found = {
        name.removeprefix("combo-kit/"): TrainSettings.for_algorithm({"dataset": "a-v0", **p.settings})
        for name, p in PRESETS.items()
        if name.startswith("combo-kit/")
    }
    settings = found["walker2d-medium-replay"]
    assert (settings.horizon, settings.agent_options["conservative_weight"]) == (1, 0.25)
    assert all(run.agent == "combo" and run.real_ratio == 0.5 for run in found.values())
    heavy = {name for name, run in found.items() if run.agent_options["conservative_weight"] == 2.5}
    assert heavy == {name for name in found if "expert" in name} | {"hopper-medium", "walker2d-medium"}


def test_ravls_numbers() -> None:
    settings = TrainSettings.for_algorithm({"dataset": "a-v0", **PRESETS["ravl/hopper-medium"].settings})
    assert (settings.agent, settings.horizon, settings.real_ratio) == ("ravl", 5, 0.05)
    assert settings.agent_options == {
        "policy_kwargs": {"net_arch": [256, 256, 256]},
        "diversity": 1.0,
        "learning_rate": 3e-4,
    }


def test_the_adversary_of_trpo_follows_it_from_first_observations() -> None:
    settings = TrainSettings.for_algorithm(
        {"dataset": "a-v0", **preset("rambo-trpo/walker2d-replay").settings}
    )
    assert (settings.horizon, settings.start, settings.adversary_every) == (100, "dataset", 1)
    assert settings.adversary == {
        "adv_weight": 1e-3,
        "steps_per_update": 50.0,
        "start": "initial",
        "horizon": 200,
    }


def test_neubay_keeps_a_hundred_normalised_members_and_truncates() -> None:
    settings = TrainSettings.for_algorithm(
        {"dataset": "a-v0", **preset("neubay/hopper-medium-replay").settings}
    )
    assert (settings.ensemble["n_elites"], settings.ensemble["layer_norm"]) == (100, True)
    assert settings.env_settings["on_unknown"] == "truncate"
    assert settings.horizon == 1000
    assert settings.agent_options["ent_coef"] == 0.2  # the release keeps it on this dataset alone
    assert preset("neubay/walker2d-medium-replay").settings["agent_options"]["ent_coef"] == "auto_0.2"


def test_an_unknown_preset_names_the_nearest() -> None:
    with pytest.raises(SettingsError, match="Unknown preset 'mopo/hoper-medium'"):
        preset("mopo/hoper-medium")


def test_the_demo_is_a_run_of_mopo() -> None:
    full, smoke = (TrainSettings.from_json({**DEMO, **changes}) for changes in ({}, DEMO_SMOKE))
    assert (full.algorithm, full.agent, full.gradient_steps) == ("mopo", "sac", 10_000)
    assert (smoke.gradient_steps, smoke.horizon) == (50, full.horizon)
