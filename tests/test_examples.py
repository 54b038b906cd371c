"""Every example runs, with the smallest budget there is."""

import importlib.util
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium.envs.mujoco.mujoco_rendering import MujocoRenderer
from PIL import Image
from stable_baselines3 import SAC

from offline_envs import load_transitions
from offline_envs.collect import CollectSettings, Kind
from offline_envs.collect.collection import collect_dataset
from offline_envs.dynamics import read_model
from offline_envs.policies import as_policy

FOLDER = Path(__file__).parents[1] / "examples"
MODEL: dict[str, Any] = {"ensemble": {"hidden": [16, 16]}, "fit": {"max_epochs": 1}}
MOST_LINES = 120
LONGER = {"ppo_on_device": 195}  # a whole algorithm in one file, to be copied
PNG = b"\x89PNG"


def load(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"example_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(name: str, **settings: Any) -> Any:
    example = load(name)
    return example.main(example.Settings(**MODEL, **settings))


def check_train_dynamics(tmp_path: Path) -> None:
    run("train_dynamics", output=tmp_path / "model")
    assert read_model(tmp_path / "model", "cpu").n_members == 7


def check_single_env(tmp_path: Path) -> None:
    assert run("single_env", steps=110) > 0


def check_mopo(tmp_path: Path) -> None:
    budget = {"n_envs": 10, "transitions_per_gradient_step": 10, "gradient_steps": 10, "eval_every": 5}
    assert run("mopo", horizon=2, net_arch=(8,), **budget) > 0


def check_morel(tmp_path: Path) -> None:
    assert run("morel", n_envs=4, steps_per_env=5, policy_steps=2, clone_steps=2) > 0


def check_rambo(tmp_path: Path) -> None:
    budget = {"n_envs": 10, "transitions_per_gradient_step": 10, "gradient_steps": 4, "adversary_every": 2}
    assert run("rambo", horizon=2, net_arch=(8,), clone_steps=2, **budget) > 0


def check_distance_from_data(tmp_path: Path) -> None:
    penalties = run("distance_from_data", n_episodes=5)
    assert all(math.isfinite(penalty) and penalty > 0 for penalty in penalties.values())
    assert penalties["as in the dataset"] < penalties["always to the right"]


def collected(env_id: str, tmp_path: Path) -> str:
    """A tiny dataset of uniform actions in the real environment of a task."""
    settings = CollectSettings(Kind.RANDOM, steps=60)
    return str(collect_dataset(env_id, "tiny/random-v0", settings=settings, output_root=tmp_path).folder)


def untrained(env_id: str, tmp_path: Path) -> Path:
    SAC("MlpPolicy", env_id, policy_kwargs={"net_arch": [8]}, buffer_size=1).save(tmp_path / "policy.zip")
    return tmp_path / "policy.zip"


def check_halfcheetah_jump(tmp_path: Path) -> None:
    budget = {"n_envs": 10, "transitions_per_gradient_step": 10, "gradient_steps": 4, "eval_every": 4}
    data, policy = collected("HalfCheetahJump-v0", tmp_path), tmp_path / "policy.zip"
    assert math.isfinite(run("halfcheetah_jump", dataset=data, policy=policy, horizon=2, **budget))
    assert SAC.load(policy).observation_space.shape == (17,)


def check_ant_angle(tmp_path: Path) -> None:
    example = load("ant_angle")
    changes = {
        **MODEL,
        "horizon": 2,
        "n_envs": 10,
        "gradient_steps": 2,
        "transitions_per_gradient_step": 20.0,
        "agent_options": {"batch_size": 20},
        "eval_every": 2,
        "eval_episodes": 1,
        "final_episodes": 1,
    }
    settings = example.Settings(collected("AntAngle-v0", tmp_path), tmp_path / "run", changes=changes)
    assert math.isfinite(example.main(settings))


def check_ant_path(tmp_path: Path) -> None:
    example, plot = load("ant_path"), tmp_path / "path.png"
    data = collected("AntAngle-v0", tmp_path)
    settings = example.Settings(data, untrained("AntAngle-v0", tmp_path), plot, n_episodes=1)
    assert 0 <= example.main(settings) <= 210
    assert plot.read_bytes().startswith(PNG)


def check_film(tmp_path: Path) -> None:
    """With blank pictures: a GL library is not always installed."""
    example, data = load("film"), collected("HalfCheetahJump-v0", tmp_path)
    policy = untrained("HalfCheetahJump-v0", tmp_path)
    settings = example.Settings(data, "halfcheetah-jump", policy, tmp_path, n_steps=7)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MujocoRenderer, "render", lambda *_: np.zeros((180, 240, 3), np.uint8))
        clip, stills = example.main(settings)
    with Image.open(clip) as image:
        assert image.size == (480, 180)
    assert stills.read_bytes().startswith(PNG)


def check_loop(name: str, tmp_path: Path, **settings: Any) -> str:
    """Run a loop with its own smallest budget; the curve that it wrote."""
    example = load(name)
    given = {**example.SMOKE, "folder": tmp_path / "curves", **settings}
    assert math.isfinite(example.main(example.Settings(**given)))
    assert (tmp_path / "curves" / "curves.png").read_bytes().startswith(PNG)
    (curve,) = (tmp_path / "curves").glob("*.csv")
    return f"{curve.name} {curve.read_text().count(chr(10)) - 1}"


def check_pets_loop(tmp_path: Path) -> None:
    assert check_loop("pets_loop", tmp_path / "each", rounds=2) == "pets-1.5-seed0.csv 2"
    assert check_loop("pets_loop", tmp_path / "plans", replan_every=2) == "pets-1.0-seed0.csv 1"


def check_mbpo_online(tmp_path: Path) -> None:
    assert check_loop("mbpo_online", tmp_path) == "mbpo-seed0.csv 2"


def check_sac_alone(tmp_path: Path) -> None:
    assert check_loop("sac_alone", tmp_path) == "sac-seed0.csv 2"


def check_heated_pipe(tmp_path: Path) -> None:
    """The warmth that is lost, the delay of ten steps, and the controller that follows its set-point."""
    example = load("heated_pipe")
    env = example.HeatedPipe()
    env.reset(seed=0)
    warm = env.heat
    before = env.cells.copy() + np.arange(10)
    env.cells[:] = before
    course, entered = [], []
    for _ in range(10):
        env.step(np.ones(1))
        course.append(float(env.cells[-1]))
        entered.append(float(env.inlet + env.heat))
    cooled = [10 + 0.99**n * (before[9 - n] - 10) for n in range(1, 10)]
    assert course == pytest.approx([*cooled, 10 + 0.99**9 * (entered[0] - 10)])
    assert env.heat == pytest.approx(70 + 0.75**10 * (warm - 70))
    data = tmp_path / "data" / "pipe.npz"
    assert -300 < example.main(example.Settings(data, n_episodes=2)) < -50
    found = load_transitions(data, env_id=example.ENV_ID)
    assert found.episode_lengths.tolist() == [500, 500]
    assert found.make_env().observation_space.shape == (2,)


def check_plant_with_delay(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(FOLDER)
        example = load("plant_with_delay")
    scores = example.main(replace(example.SMOKE, folder=tmp_path / "runs"))
    assert list(scores) == [
        "controller",
        "bc with history=1",
        "mopo with history=1",
        "bc with history=4",
        "mopo with history=4",
    ]
    assert all(-1000 < score < 0 for score in scores.values())


def check_tank_from_csv(tmp_path: Path) -> None:
    """One minute by hand, and a file whose shutdowns are those of the simulation."""
    example = load("tank_from_csv")
    tank = example.Tank()
    tank.reset(seed=0)
    tank.level, tank.inflow = 1.44, 0.5
    obs, pressure, shut_down, _, _ = tank.step(np.array([0.25]))
    assert (pressure, float(obs[0])) == pytest.approx((1.2, 1.44 + 0.1 * (0.5 - 0.25 * 1.2)))
    assert not shut_down
    scores = example.main(replace(example.SMOKE, folder=tmp_path))
    assert list(scores) == ["operators", "policy"]
    assert all(0 < score < 200 * 1.8**0.5 for score in scores.values())
    found = load_transitions(tmp_path / "tank.csv", columns=tmp_path / "tank.toml")
    assert found.metadata["obs_names"] == ["level [m]", "inflow [m3/min]"]
    assert found.terminated.tolist() == (found.next_obs[:, 0] > 1.8).tolist()


def check_ppo_on_device(tmp_path: Path) -> None:
    """A policy as its other users see it: the same actions from tensors and from arrays."""
    del tmp_path  # Unused: it writes nothing.
    example = load("ppo_on_device")
    settings = example.Settings(**example.SMOKE)
    assert example.main(settings) > 0
    agent = example.Agent(load_transitions(settings.dataset), settings)
    obs = 100 * torch.randn(5, 9, generator=torch.Generator().manual_seed(0))
    actions = as_policy(agent)(obs)
    assert (actions.shape, actions.requires_grad) == ((5, 1), False)
    assert agent.predict(obs.numpy())[0] == pytest.approx(actions.numpy(), abs=1e-6)


def check_mbmf(tmp_path: Path) -> None:
    assert check_loop("mbmf", tmp_path / "imitating") == "mbmf-seed0.csv 2"
    assert check_loop("mbmf", tmp_path / "scratch", imitate=False) == "trpo-seed0.csv 2"


CHECKS: dict[str, Callable[[Path], None]] = {
    "train_dynamics": check_train_dynamics,
    "single_env": check_single_env,
    "mopo": check_mopo,
    "morel": check_morel,
    "rambo": check_rambo,
    "distance_from_data": check_distance_from_data,
    "halfcheetah_jump": check_halfcheetah_jump,
    "ant_angle": check_ant_angle,
    "ant_path": check_ant_path,
    "film": check_film,
    "pets_loop": check_pets_loop,
    "mbpo_online": check_mbpo_online,
    "sac_alone": check_sac_alone,
    "heated_pipe": check_heated_pipe,
    "plant_with_delay": check_plant_with_delay,
    "tank_from_csv": check_tank_from_csv,
    "mbmf": check_mbmf,
    "ppo_on_device": check_ppo_on_device,
}


@pytest.mark.filterwarnings("ignore:On the holdout, the model predicts")  # after a single epoch
@pytest.mark.filterwarnings("ignore:The termination rule agrees with")  # learned from two shutdowns
@pytest.mark.parametrize("name", CHECKS)
def test_an_example_runs(name: str, tmp_path: Path) -> None:
    CHECKS[name](tmp_path)


def test_every_example_is_tested() -> None:
    assert {path.stem for path in FOLDER.glob("*.py")} == set(CHECKS)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_an_example_is_short_and_says_how_to_run_it(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") < LONGER.get(path.stem, MOST_LINES)
    assert f"python examples/{path.name}" in text.split('"""')[1]
