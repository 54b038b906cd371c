"""`offline-envs sweep` on Ray Tune: four small runs with one fit, some of them stopped early.

python examples/integrations/with_sweep.py
"""

import tempfile
from pathlib import Path

from offline_envs.sweep import Stop, SweepConfig, cell_results, run_sweep

DATASET = "offline-envs/inverteddoublependulum-replay-v0"


def main() -> None:
    """Run the sweep twice; the second time there is nothing left."""
    config = SweepConfig(
        settings={
            "dataset": DATASET,
            "agent": "fastsac",
            "gradient_steps": 60,
            "eval_every": 20,
            "eval_episodes": 1,
            "final_episodes": 1,
            "transitions_per_gradient_step": 50.0,
            "ensemble": {"hidden": [16, 16]},
            "fit": {"max_epochs": 1},
        },
        grid={"penalty_coef": [0.5, 5.0], "seed": [0, 1]},
        stop=Stop(first=20, keep=2),
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for _ in range(2):
            rows = cell_results(run_sweep(config, folder), folder)
            print([(row.group, len(row.results), row.stopped, row.missing) for row in rows])
            assert sum(len(row.results) + len(row.stopped) for row in rows) == 4
            assert any(row.results for row in rows)
        assert len(list((folder / "models").iterdir())) == 1


if __name__ == "__main__":
    main()
