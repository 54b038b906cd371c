import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from offline_envs.agents import AGENTS
from offline_envs.cli import app
from offline_envs.runs import ALGORITHMS, CHOICES, RunFolder, TrainSettings
from offline_envs.sb3 import SB3VecEnv
from tests.cli.runner import RUNNER, fail, succeed
from tests.runs.tiny import DEMO
from tests.test_public_names import own

SETTINGS = {
    "n_envs": 4,
    "transitions_per_gradient_step": 4.0,
    "eval_episodes": 1,
    "final_episodes": 2,
}
AGENT_OPTIONS = {"policy_kwargs": {"net_arch": [8]}, "batch_size": 16}


def arguments(model: Path, folder: Path, *more: object) -> list[str]:
    """The command of a tiny run."""
    options = {
        "--model": model,
        "--folder": folder,
        "--steps": 4,
        "--horizon": 2,
        "--eval-every": 2,
        "--settings": json.dumps(SETTINGS),
        "--agent-options": json.dumps(AGENT_OPTIONS),
    }
    pairs = [str(part) for pair in options.items() for part in pair]
    return ["train", DEMO, *pairs, *(str(part) for part in more)]


def test_runs_of_two_seeds_end_in_a_table(tiny_model: Path, tmp_path: Path) -> None:
    output = succeed(*arguments(tiny_model, tmp_path, "--seeds", "0,3"))
    assert "20,000 steps in 600 episodes of InvertedDoublePendulum-v5" in output
    assert f"Model: given, {tiny_model}" in output
    assert "MOPO with SAC" in output
    results = [RunFolder(tmp_path / f"seed-{seed}").result() for seed in (0, 3)]
    real = [result.real_return for result in results]
    row = next(line for line in output.splitlines() if "real, 2 episodes" in line)
    cells = [cell.strip() for cell in row.strip("│").split("│")]
    assert cells[1:3] == [f"{r.real_return:.0f} ± {r.real_std:.0f}" for r in results]
    assert cells[3] == f"{sum(real) / 2:.0f} ± {abs(real[0] - real[1]) / 2:.0f}"
    assert [result.gradient_steps for result in results] == [4, 4]


def test_seeds_learn_together(tiny_model: Path, tmp_path: Path) -> None:
    command = arguments(tiny_model, tmp_path, "--seeds", "0,3", "--together")
    assert "such as fastsac, got SAC" in fail(*command)
    output = succeed(*command, "--agent", "fastsac")
    assert f"Seed 3: into {tmp_path / 'seed-3'}" in output
    assert "MOPO with FASTSAC" in output
    assert f"Seed 3: {tmp_path / 'seed-3'} is complete" in succeed(*command, "--agent", "fastsac", "--resume")


def test_a_model_is_fitted_and_found_again(tmp_path: Path) -> None:
    command = [
        *arguments(Path(), tmp_path / "a")[:2],
        *arguments(Path(), tmp_path / "a")[4:],
        *("--ensemble", '{"hidden": [16, 16]}', "--fit", '{"max_epochs": 1}', "--algo", "mbpo"),
    ]
    assert "Model: to be fitted, then kept" in succeed(*command)
    command[command.index(str(tmp_path / "a"))] = str(tmp_path / "b")
    assert "Model: found in the cache" in succeed(*command)


def test_an_interrupted_run_is_resumed_and_complete_seeds_are_only_read(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step_wait, calls = SB3VecEnv.step_wait, iter(range(1, 10_000))

    def press_ctrl_c(self: SB3VecEnv) -> Any:
        if next(calls) == 7:  # Four steps are a run: the third of the second seed.
            raise KeyboardInterrupt
        return step_wait(self)

    monkeypatch.setattr(SB3VecEnv, "step_wait", press_ctrl_c)
    command = arguments(tiny_model, tmp_path, "--seeds", "0,1")
    result = RUNNER.invoke(app, command)
    assert result.exit_code == 130, result.output
    assert f"Interrupted. {tmp_path / 'seed-1'} is kept. Run the same command with --resume" in result.stdout
    assert "holds a run already" in fail(*command)
    assert "other settings: horizon differ" in fail(*command, "--horizon", "3", "--resume")
    output = succeed(*command, "--resume")
    assert f"Seed 0: {tmp_path / 'seed-0'} is complete" in output
    assert "all seeds" in output
    rows = RunFolder(tmp_path / "seed-1").read_metrics()
    assert [row.gradient_steps for row in rows] == [2, 4]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--algo", "ppo"], "Unknown algorithm 'ppo'. Valid: awac, bc, bcq, "),
        (["--agent", "ppo"], "Unknown agent 'ppo'"),
        (["--agent", "dqn"], "dqn is not for the actions of Minari dataset"),
        (["--penalty", "fear"], "Unknown penalty 'fear'"),
        (["--seeds", "1,x"], "--seeds must be integers or ranges separated by commas"),
        (["--seeds", "1,1"], "--seeds must be distinct"),
        (["--settings", "{"], "--settings must be JSON"),
        (["--settings", '{"nenvs": 3}'], "Unknown setting of TrainSettings 'nenvs'"),
        (["--settings", '{"horizon": 3}'], "--settings cannot hold horizon: there are options for that"),
        (["--settings", '{"n_envs": "x"}'], "n_envs must be of type int"),
        (["--settings", '{"rollout_actions": "noise"}'], "Valid: policy, uniform"),
        (["--agent-options", "[]"], "--agent-options must be a JSON object"),
        (["--agent-options", '{"gamma": 2}'], "gamma must be between 0 and 1, got 2"),
        (["--agent-options", '{"learning_rate": "1e-3"}'], "learning_rate must be of type float"),
        (["--ensemble", '{"n_members": 3}'], "ensemble and fit cannot be given with it"),
    ],
)
def test_invalid_options_are_refused(more: list[str], message: str, tiny_model: Path, tmp_path: Path) -> None:
    assert message in fail(*arguments(tiny_model, tmp_path / "run", *more))
    assert not (tmp_path / "run").exists()


def test_a_folder_below_a_file_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    line = fail(*arguments(tiny_model, tmp_path / "file"))
    assert f"{tmp_path / 'file'} is not a folder. folder= (--folder) chooses another place." in line


def test_uniform_rollouts_are_a_setting(tiny_model: Path, tmp_path: Path) -> None:
    settings = json.dumps({**SETTINGS, "rollout_actions": "uniform"})
    succeed(*arguments(tiny_model, tmp_path, "--settings", settings))
    assert RunFolder(tmp_path / "seed-0").settings().rollout_actions == "uniform"


def test_a_run_can_choose_its_policy(tiny_model: Path, tmp_path: Path) -> None:
    output = succeed(*arguments(tiny_model, tmp_path, "--choose", "model_raw"))
    result = RunFolder(tmp_path / "seed-0").result()
    assert "gradient steps, chosen by model_raw" in output
    assert result.chosen_step in (2, 4)


def test_the_help_lists_every_algorithm_and_choice() -> None:
    text = RUNNER.invoke(app, ["train", "--help"], env={"COLUMNS": "400"}).output
    assert {*ALGORITHMS, *CHOICES} <= set(re.findall(r"\w+", text))


def test_a_missing_dataset_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    command = arguments(tiny_model, tmp_path / "run")
    assert "Unknown dataset 'no/such-v0'" in fail("train", "no/such-v0", *command[2:])
    assert "missing.hdf5" in fail("train", tmp_path / "missing.hdf5", *command[2:])
    assert not (tmp_path / "run").exists()


def test_a_missing_model_is_refused(tmp_path: Path) -> None:
    assert "no-model" in fail(*arguments(tmp_path / "no-model", tmp_path / "run"))
    assert "Unknown option of sac 'gamm'" in fail(
        *arguments(tmp_path, tmp_path / "run", "--agent-options", '{"gamm": 1}')
    )
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("option", "setting"),
    [
        ("algo", "algorithm"),
        ("agent", "agent"),
        ("steps", "gradient_steps"),
        ("horizon", "horizon"),
        ("penalty_coef", "penalty_coef"),
        ("penalty", "penalty"),
        ("penalty_scale", "penalty_scale"),
        ("eval_every", "eval_every"),
        ("choose", "choose"),
    ],
)
def test_the_help_names_every_default(option: str, setting: str) -> None:
    """One default for all algorithms and agents, then the others with where they hold."""
    parameters = get_command(app).commands["train"].params  # type: ignore[attr-defined]
    (shown,) = (str(p.show_default) for p in parameters if p.name == option)
    standard = getattr(TrainSettings("a-v0"), setting)
    agents = [{}] if setting == "agent" else [{"agent": name} for name in own(AGENTS)]
    defaults = {
        str(ALGORITHMS[name].with_defaults(agent).get(setting, standard))
        for name in own(ALGORITHMS)
        for agent in agents
    }
    first, *others = (part.strip().split()[0] for part in shown.split(";"))
    assert first == str(standard)
    assert {first, *others} == defaults
