"""Golden values: digests of what the package computes, recorded before a change that should change no number.

    python benchmarks/golden_values.py record before.json    # with the old code
    python benchmarks/golden_values.py compare before.json   # with the new code: names what differs

Bit for bit, on one thread of one machine; another processor gives other digests, so the file is not kept.
Only public names are used, so that the same script runs before and after.
"""

import hashlib
import json
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import gymnasium as gym
import numpy as np
import torch
import typer
from rich.console import Console
from typer.testing import CliRunner

DATASET = "offline-envs/inverteddoublependulum-replay-v0"
ENSEMBLE: dict[str, Any] = {"n_members": 4, "n_elites": 3, "hidden": [24, 24]}
FIT: dict[str, Any] = {"max_epochs": 2}
STEPS = 50
Golden = Iterator[tuple[str, str]]
app = typer.Typer(add_completion=False)


def digest(value: Any) -> str:
    """Digest of a nested value of arrays, tensors and plain values."""
    found = hashlib.sha256()
    _feed(found, value)
    return found.hexdigest()[:24]


def _feed(found: Any, value: Any) -> None:
    if isinstance(value, dict):
        for key in sorted(value):
            found.update(str(key).encode())
            _feed(found, value[key])
    elif isinstance(value, list | tuple):
        for item in value:
            _feed(found, item)
    elif isinstance(value, torch.Tensor):
        _feed(found, value.detach().cpu().numpy())
    elif isinstance(value, np.ndarray):
        found.update(f"{value.dtype}{value.shape}".encode())
        found.update(np.ascontiguousarray(value).tobytes())
    else:
        found.update(repr(value).encode())


def fits() -> Golden:
    """Weights and reports of small fits in two precisions, with a cosine, and with spectral norm."""
    from offline_envs import load_transitions
    from offline_envs.dynamics import EnsembleSettings, FitSettings, fit

    data = load_transitions(DATASET)
    cosine = {"schedule": "cosine", "learning_rate": 4e-3}
    for name, shape, more in (
        ("float32", {}, {}),
        ("bfloat16", {}, {"precision": "bfloat16"}),
        ("cosine", {"separate_heads": False}, cosine),
        ("spectral", {"spectral_norm": True}, {}),
        ("deterministic", {"probabilistic": False}, {"bootstrap": False}),
    ):
        settings = EnsembleSettings.from_json({**ENSEMBLE, **shape})
        fitted = fit(data, settings, fit_settings=FitSettings.from_json({**FIT, **more}), progress=False)
        report = {k: v for k, v in fitted.report.to_json().items() if k != "seconds"}
        yield f"fit/{name}", digest([dict(fitted.ensemble.state_dict()), report])


def _worlds() -> dict[str, tuple[str, dict[str, Any], Callable[[Any, bool], Any] | None]]:
    from offline_envs import wrappers

    def penalised(env: Any, vector: bool) -> Any:
        if vector:
            return wrappers.vector.UncertaintyPenalty(env, 0.7, penalty="max_deviation", step_infos=True)
        return wrappers.UncertaintyPenalty(env, 0.7, penalty="max_deviation")

    def halted(env: Any, vector: bool) -> Any:
        room = wrappers.vector if vector else wrappers
        more = {"step_infos": True} if vector else {}
        return room.HaltOnUnknown(env, {"quantile": 0.9}, **more)

    def both(env: Any, vector: bool) -> Any:
        return halted(penalised(env, vector), vector)

    strict: dict[str, Any] = {"threshold": {"quantile": 0.97}}
    long = {"max_episode_steps": 20}
    return {
        "plain": ("LearnedModel-v0", {}, None),
        "plain, elite an episode": ("LearnedModel-v0", {"member": "episode", **long}, None),
        "plain, bfloat16": ("LearnedModel-v0", {"precision": "bfloat16"}, None),
        "penalty": ("PenalizedModel-v0", {"penalty_coef": 0.5}, None),
        "penalty, elites": (
            "PenalizedModel-v0",
            {"penalty": "ensemble_std", "penalty_members": "elites", **long},
            None,
        ),
        "halt": ("PessimisticModel-v0", strict, None),
        "halt, absorbing": (
            "PessimisticModel-v0",
            {
                **strict,
                "absorbing": True,
                "halt_members": "elites",
                "units": "raw",
                "start": "dataset",
                **long,
            },
            None,
        ),
        "adversary": ("AdversarialModel-v0", {}, None),
        "penalty wrapper": ("LearnedModel-v0", long, penalised),
        "halt wrapper": ("LearnedModel-v0", long, halted),
        "both wrappers": ("LearnedModel-v0", long, both),
        "learned termination": ("LearnedModel-v0", {"termination": "learned", **long}, None),
    }


def _options(more: dict[str, Any]) -> dict[str, Any]:
    return {"dataset": DATASET, "ensemble": ENSEMBLE, "fit": FIT, "progress": False, **more}


def single_envs() -> Golden:
    """Fifty steps of every id and wrapper, one episode after the other."""
    for name, (env_id, more, wrap) in _worlds().items():
        env = gym.make(env_id, **_options(more))
        env = env if wrap is None else wrap(env, False)
        env.action_space.seed(1)
        seen: list[Any] = [env.reset(seed=3)]
        for _ in range(STEPS):
            step = env.step(env.action_space.sample())
            seen.append(step)
            if step[2] or step[3]:
                seen.append(env.reset())
        yield f"single/{name}", digest(seen)


def vector_envs() -> Golden:
    """Steps of every id and wrapper in three autoreset modes, 9 rows and 1 100, as arrays and tensors."""
    for name, (env_id, more, wrap) in _worlds().items():
        for n in (9, 1100):
            for mode in ("SameStep", "NextStep", "Disabled"):
                for output in ("numpy", "torch"):
                    vector = {"autoreset_mode": mode, "output": output, "step_infos": True}
                    env = gym.make_vec(env_id, num_envs=n, **_options({**more, **vector}))
                    env = env if wrap is None else wrap(env, True)
                    seen = _played(env, mode, STEPS if n == 9 else 12)
                    yield f"vector/{name}/{n}/{mode}/{output}", digest(seen)


def _played(env: Any, mode: str, steps: int) -> list[Any]:
    env.action_space.seed(1)
    seen = [_plain(env.reset(seed=3))]
    for _ in range(steps):
        obs, rewards, terminations, truncations, infos = env.step(env.action_space.sample())
        seen.append(_plain((obs, rewards, terminations, truncations, infos)))
        over = terminations | truncations
        if mode == "Disabled" and over.any():
            seen.append(_plain(env.reset(options={"reset_mask": over})))
    return seen


def _plain(value: Any) -> Any:
    """Convert tensors to arrays, as immediate copies."""
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, torch.Tensor):
        return value.detach().cpu().numpy().copy()
    return value.copy() if isinstance(value, np.ndarray) else value


def rollouts() -> Golden:
    """A rollout of a torch policy, and of `make_vec`'s buffers."""
    from offline_envs.envs import rollout

    for name, (env_id, more, wrap) in _worlds().items():
        if wrap is None:
            envs = gym.make_vec(env_id, num_envs=2, **_options(more))
            found = rollout(lambda obs: obs[:, :1].clamp(-1, 1), 40, 7, within=envs, seed=5)
            yield f"rollout/{name}", digest(list(found))


def runs(folder: Path) -> Golden:
    """Short runs of every algorithm: weights of the last policy, metrics, result."""
    from offline_envs.runs import TrainSettings, train

    common = {
        "dataset": DATASET,
        "ensemble": ENSEMBLE,
        "fit": FIT,
        "n_envs": 10,
        "transitions_per_gradient_step": 10.0,
        "gradient_steps": 300,
        "eval_every": 150,
        "eval_episodes": 2,
        "final_episodes": 2,
    }
    small = {"agent_options": {"policy_kwargs": {"net_arch": [16]}, "batch_size": 32}}
    on_policy = {"gradient_steps": 6, "eval_every": 3, "n_envs": 20, "transitions_per_gradient_step": 200.0}
    trpo = {"agent_options": {"batch_size": 50, "policy_kwargs": {"net_arch": [16]}}, "clone_epochs": 1}
    variants: dict[str, dict[str, Any]] = {
        "mopo-sac": small,
        "mopo-fastsac": {"agent": "fastsac", **small},
        "mopo-uniform": {"rollout_actions": "uniform", "agent": "td3", **small},
        "mbpo-tqc": {"algorithm": "mbpo", "agent": "tqc", **small, "gradient_steps": 100, "eval_every": 50},
        "mopo-trpo": {"agent": "trpo", **on_policy, **trpo, "horizon": 20},
        "morel-trpo": {"algorithm": "morel", **on_policy, **trpo, "horizon": 40},
        "rambo": {
            "algorithm": "rambo",
            **small,
            "adversary": {"adv_weight": 3e-4},
            "adversary_every": 50,
            "clone_epochs": 1,
        },
        "bc": {"algorithm": "bc", "gradient_steps": 300, "eval_every": 150, **small},
    }
    for name, more in variants.items():
        chosen = {**common, **more}
        if name == "bc":
            left_out = ("ensemble", "fit", "n_envs", "transitions_per_gradient_step")
            chosen = {k: v for k, v in chosen.items() if k not in left_out}
        torch.manual_seed(0)
        train(TrainSettings.for_algorithm(chosen), folder / name, show_progress=False)
        yield f"run/{name}", digest(_run_outcome(folder / name))


def _run_outcome(folder: Path) -> Any:
    from safetensors.torch import load_file
    from stable_baselines3.common.save_util import load_from_zip_file

    policies = [
        load_from_zip_file(folder / "policies" / name, device="cpu", print_system_info=False)[1]["policy"]
        for name in ("last_policy.zip", "best_policy.zip")
    ]
    metrics = [
        line.rsplit(",", 1)[0] for line in (folder / "metrics.csv").read_text(encoding="utf-8").splitlines()
    ]
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    models = [dict(load_file(path)) for path in sorted(folder.glob("*/weights.safetensors"))]
    files = sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if "tensorboard" not in p.parts)
    return [[dict(policy) for policy in policies], metrics, result, models, files]


def diagnosis(folder: Path) -> Golden:
    """The figures, the advice and the text of a report."""
    import re

    from offline_envs.cli import app as command

    shape = ["--ensemble", json.dumps(ENSEMBLE), "--fit", json.dumps(FIT)]
    sizes = '{"rows": 800, "rollouts": 40, "starts": 30, "episodes": 2}'
    with_policy = ["--policy", str(folder / "mopo-sac" / "policies" / "last_policy.zip")]
    for name, more in {"alone": [], "policy": with_policy}.items():
        target = folder / f"diagnosis-{name}"
        call = ["diagnose", DATASET, "--output", str(target), "--horizon", "20", "--options", sizes]
        found = CliRunner().invoke(command, [*call, *shape, *more])
        assert found.exit_code == 0, found.output
        for path in sorted(target.iterdir()):
            if path.suffix in (".csv", ".json"):
                yield f"diagnose/{name}/{path.name}", digest(path.read_text(encoding="utf-8"))
            elif path.suffix == ".html":
                text = re.sub(r'"data:image[^"]*"', "", path.read_text(encoding="utf-8"))
                yield f"diagnose/{name}/{path.name}", digest(text)


def datasets(folder: Path) -> Golden:
    """Datasets that are collected, relabelled, and loaded."""
    from offline_envs import load_transitions
    from offline_envs.cli import app as command
    from offline_envs.tasks import relabel

    yield "data/embedded", load_transitions(DATASET).fingerprint
    root = str(folder / "minari")
    small = ["--net-arch", "16", "--output-root", root]
    for kind, more in {
        "random": ["--steps", "300"],
        "replay": ["--steps", "300", *small],
        "medium": ["--steps", "100", "--train-steps", "200", *small],
    }.items():
        name = f"golden/cheetah-{kind}-v0"
        call = ["collect", "HalfCheetah-v5", name, "--kind", kind, *more, "--output-root", root]
        found = CliRunner().invoke(command, call)
        assert found.exit_code == 0, found.output
        data = load_transitions(Path(root) / name)
        yield f"data/{kind}", data.fingerprint
        for task in ("halfcheetah-jump", "halfcheetah-velocity:target=3"):
            try:
                yield f"data/{kind}/{task}", relabel(data, task).fingerprint
            except Exception as error:
                yield f"data/{kind}/{task}", digest(str(error))


def all_values() -> dict[str, str]:
    """Every golden value by name."""
    found: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        os.environ["OFFLINE_ENVS_CACHE"] = str(folder / "cache")
        os.environ["MINARI_DATASETS_PATH"] = str(folder / "minari")
        parts = (
            fits(),
            single_envs(),
            vector_envs(),
            rollouts(),
            runs(folder),
            diagnosis(folder),
            datasets(folder),
        )
        for part in parts:
            found |= dict(part)
    return found


@app.command()
def record(file: Path) -> None:
    """Write the values of the current code to FILE."""
    file.write_text(json.dumps(_computed(), indent=2) + "\n", encoding="utf-8")


@app.command()
def compare(file: Annotated[Path, typer.Argument(exists=True)]) -> None:
    """Compare the current code with FILE; exit with 1 if a value differs."""
    before, now = json.loads(file.read_text(encoding="utf-8")), _computed()
    different = sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))
    for name in different:
        Console().print(f"differs: {name}", markup=False)
    Console().print(f"{len(before)} golden values, {len(different)} of them differ")
    raise typer.Exit(bool(different))


def _computed() -> dict[str, str]:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    return all_values()


if __name__ == "__main__":
    app()
