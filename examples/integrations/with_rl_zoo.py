"""RL Zoo's own training program in a learned environment, by flags only.

    python examples/integrations/with_rl_zoo.py

It runs:

    python -m rl_zoo3.train --algo sac --env PenalizedModel-v0 --gym-packages offline_envs \
        --env-kwargs dataset:"'DATASET'" penalty_coef:1.0 --conf-file FILE.yml -n 200
"""

import subprocess
import sys
import tempfile
from pathlib import Path

DATASET = "offline-envs/inverteddoublependulum-replay-v0"

HYPERPARAMETERS = """\
PenalizedModel-v0:
  n_timesteps: 200
  policy: MlpPolicy
  learning_starts: 50
  policy_kwargs: "dict(net_arch=[16])"
"""


def main() -> None:
    """Train for two hundred steps, and find the policy that RL Zoo saved."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Path(folder) / "sac.yml"
        settings.write_text(HYPERPARAMETERS)
        command = [sys.executable, "-m", "rl_zoo3.train", "--algo", "sac", "--env", "PenalizedModel-v0"]
        command += ["--gym-packages", "offline_envs", "--conf-file", str(settings), "--log-folder", folder]
        # As text that RL Zoo evaluates: names in quotes of their own.
        command += ["--env-kwargs", f"dataset:'{DATASET}'", "penalty_coef:1.0", "progress:False"]
        command += ["ensemble:{'hidden': [16, 16]}", "fit:{'max_epochs': 1}", "--eval-freq", "-1"]
        subprocess.run(command, check=True)
        saved = [*Path(folder).rglob("PenalizedModel-v0.zip")]
        print("RL Zoo saved", *(path.relative_to(folder) for path in saved))
        assert len(saved) == 1


if __name__ == "__main__":
    main()
