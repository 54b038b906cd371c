from pathlib import Path

import pytest

from offline_envs.errors import SettingsError
from offline_envs.sweep import Resources, Stop, SweepConfig, cells

DEMO = "offline-envs/inverteddoublependulum-replay-v0"
FULL = f"""
retries = 1

[settings]
dataset = "{DEMO}"
algorithm = "mopo"
gradient_steps = 100
fit = {{max_epochs = 1}}

[grid]
penalty_coef = [0.5, 1.0]
"fit.learning_rate" = [1e-3, 3e-3]
seed = [0, 1, 2]

[stop]
figure = "real_return"
first = 20
keep = 2

[resources]
cpus = 2
gpus = 0.25
"""


def read(tmp_path: Path, text: str) -> SweepConfig:
    path = tmp_path / "sweep.toml"
    path.write_text(text)
    return SweepConfig.read(path)


def test_a_file_is_read(tmp_path: Path) -> None:
    config = read(tmp_path, FULL)
    assert config.stop == Stop("real_return", 20, 2)
    assert config.resources == Resources(2.0, 0.25)
    assert config.retries == 1


def test_every_combination_is_a_run_and_seeds_share_a_folder(tmp_path: Path) -> None:
    found = cells(read(tmp_path, FULL))
    assert len(found) == 12
    assert [cell.name for cell in found[:4]] == [
        "penalty_coef=0.5,fit.learning_rate=0.001/seed-0",
        "penalty_coef=0.5,fit.learning_rate=0.001/seed-1",
        "penalty_coef=0.5,fit.learning_rate=0.001/seed-2",
        "penalty_coef=0.5,fit.learning_rate=0.003/seed-0",
    ]
    assert found[-1].settings.penalty_coef == 1.0
    assert found[-1].settings.fit == {"seed": 0, "max_epochs": 1, "learning_rate": 3e-3}
    assert found[-1].settings.seed == 2


def test_a_fit_of_its_own_for_each_seed_can_be_asked_for(tmp_path: Path) -> None:
    text = FULL.replace("max_epochs = 1", "max_epochs = 1, seed = 7")
    assert {cell.settings.fit["seed"] for cell in cells(read(tmp_path, text))} == {7}


def test_a_preset_is_where_settings_start(tmp_path: Path) -> None:
    config = read(tmp_path, f'preset = "mopo/hopper-medium"\n[settings]\ndataset = "{DEMO}"\n')
    (only,) = cells(config)
    assert only.name == "runs/seed-0"
    assert only.settings.horizon == 5


def test_a_fitted_model_takes_the_place_of_the_presets_fit(tmp_path: Path) -> None:
    """As on the command line; a preset's fit beside a model would be refused."""
    text = f'preset = "mopo/hopper-medium"\n[settings]\ndataset = "{DEMO}"\n'
    fitted = read(tmp_path, f'{text}[grid]\nmodel = ["one/model", "two/model"]\n')
    assert [(cell.group, cell.settings.model, cell.settings.fit) for cell in cells(fitted)] == [
        ("model=one_model", "one/model", {}),
        ("model=two_model", "two/model", {}),
    ]
    (alone,) = cells(read(tmp_path, f'{text}model = "one/model"\n'))
    assert alone.settings.fit == alone.settings.ensemble == {}


def test_paths_that_end_alike_are_told_apart_by_the_parts_before(tmp_path: Path) -> None:
    ids = ["D4RL/hopper/medium-v0", "D4RL/walker2d/medium-v0", "mine/replay-v0/"]

    def groups(datasets: list[str]) -> list[str]:
        return [cell.group for cell in cells(read(tmp_path, f"[grid]\ndataset = {datasets}\n"))]

    assert groups(ids) == [
        *("dataset=hopper_medium-v0", "dataset=walker2d_medium-v0", "dataset=mine_replay-v0"),
    ]
    assert groups(ids[1:]) == ["dataset=medium-v0", "dataset=replay-v0"]
    with pytest.raises(SettingsError, match=r"dataset=hopper_medium-v0/seed-0: values .* given twice"):
        groups([*ids, ids[0]])


def test_a_baseline_without_a_model_gets_no_fit(tmp_path: Path) -> None:
    (only,) = cells(read(tmp_path, f'[settings]\ndataset = "{DEMO}"\nalgorithm = "bc"\n'))
    assert only.settings.fit == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[grid\n", "cannot be read as TOML"),
        ("[setting]\n", "Unknown entry 'setting'. Valid: grid, preset, resources, retries, settings, stop"),
        ("[grid]\nhorizon = 5\n", "horizon must be a list of one value or more, got 5"),
        ("[grid]\nhorizon = []\n", "horizon must be a list"),
        ("[settings]\nhorizon = 5\n[grid]\nhorizon = [1]\n", "horizon is in settings and in grid"),
        ("[stop]\nkeep = 1\n", "keep must be at least 2, got 1"),
        ('[stop]\nfigure = "loss"\n', "figure must be one of predicted_return, real_return, got 'loss'"),
        ("[resources]\ncpus = 0\n", "cpus must be more than 0"),
        ("retries = -1\n", "retries must be at least 0, got -1"),
    ],
)
def test_what_is_no_sweep_is_refused_with_the_file_and_the_rule(
    text: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match=message) as error:
        read(tmp_path, text)
    assert "sweep.toml" in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[settings]\nhorizon = 5\n", "needs a dataset"),
        (f'[settings]\ndataset = "{DEMO}"\n[grid]\nhorizn = [1]\n', "horizn"),
        (f'[settings]\ndataset = "{DEMO}"\n[grid]\nhorizon = [1, 1]\n', "Two runs would be called horizon=1"),
    ],
)
def test_runs_that_cannot_be_are_refused(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=message):
        cells(read(tmp_path, text))


def test_axes_of_the_grid_inside_one_setting_do_not_replace_each_other(tmp_path: Path) -> None:
    text = FULL.replace("[grid]", "agent_options = {policy_kwargs = {n_critics = 3}, gamma = 0.9}\n[grid]")
    more = '"agent_options.policy_kwargs.net_arch" = [[8], [16]]\n"agent_options.batch_size" = [32]\n[stop]'
    found = cells(read(tmp_path, text.replace("[stop]", more)))
    assert [cell.settings.agent_options for cell in found[::3]][:2] == [
        {"policy_kwargs": {"n_critics": 3, "net_arch": size}, "gamma": 0.9, "batch_size": 32}
        for size in ([8], [16])
    ]


def test_a_rule_that_can_stop_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"first must be below the gradient steps .*, 100, got 100"):
        cells(read(tmp_path, FULL.replace("first = 20", "first = 100")))


def test_a_figure_that_the_runs_do_not_have_is_refused(tmp_path: Path) -> None:
    text = f"""
settings = {{dataset = "{DEMO}", algorithm = "bc", gradient_steps = 100}}
stop = {{figure = "predicted_return", first = 20}}
"""
    with pytest.raises(SettingsError, match="bc has no model that predicts returns"):
        cells(read(tmp_path, text))
