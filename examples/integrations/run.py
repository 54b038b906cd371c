"""Run the scripts of this folder against the real packages, each in an environment of its own.

    python examples/integrations/run.py                    # all of them
    python examples/integrations/run.py rllib skrl         # some

An environment is made once, in `.ecosystem/`, with the current version; delete it to get a newer one.
"""

import os
import subprocess
import sys
import venv
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

PACKAGES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "rllib": ("ray[rllib]",),
        "torchrl": ("torchrl",),
        "tianshou": ("tianshou",),
        "skrl": ("skrl",),
        "sbx": ("sbx-rl",),
        "sb3_contrib": (),
        "rl_zoo": ("rl_zoo3",),
        "optuna": ("optuna",),
        "ray_tune": ("ray[tune]",),
        "sweep": ("ray[tune]",),
        "hydra": ("hydra-core",),
        "trackers": ("wandb", "mlflow-skinny", "sqlalchemy", "alembic"),
    }
)
"""What each script `with_<name>.py` needs besides this package."""


def python_of(name: str, folder: Path) -> Path:
    """The interpreter of an environment with the packages of a script, which is made if there is none."""
    python = folder / name / "bin" / "python"
    if not python.exists():
        print(f"==> {name}: installing {', '.join(PACKAGES[name])} into {folder / name}", flush=True)
        venv.create(folder / name, with_pip=True, clear=True)
        try:
            # Without constraints.txt, which is for tests: some packages pin other versions.
            command = [
                str(python),
                "-m",
                "pip",
                "install",
                "--quiet",
                "--editable",
                str(ROOT),
                *PACKAGES[name],
            ]
            subprocess.run(command, check=True)
        except BaseException:
            python.unlink()  # half an environment is none
            raise
    return python


def main(names: list[str], folder: Path) -> int:
    """Run the scripts of these names and say which failed; returns how many did."""
    failed = []
    for name in names:
        try:
            python = python_of(name, folder)
        except subprocess.CalledProcessError as error:
            failed.append(f"{name} (cannot be installed: {error})")
            continue
        print(f"==> {name}: with_{name}.py", flush=True)
        if subprocess.run([str(python), str(HERE / f"with_{name}.py")], check=False).returncode:
            failed.append(name)
    print(f"==> {len(names) - len(failed)} of {len(names)} ran. Failed: {', '.join(failed) or 'none'}")
    return len(failed)


if __name__ == "__main__":
    unknown = set(sys.argv[1:]) - set(PACKAGES)
    if unknown:
        sys.exit(f"Unknown: {', '.join(sorted(unknown))}. Valid: {', '.join(PACKAGES)}.")
    environments = Path(os.environ.get("OFFLINE_ENVS_ECOSYSTEM", ROOT / ".ecosystem"))
    sys.exit(main(sys.argv[1:] or list(PACKAGES), environments) > 0)
