"""ant-angle: data of an ant that walks along x, a policy that walks at an angle (Yu et al. 2020, 5.2).

The data are the replay buffer of an agent rewarded for walking along x, with a small survive bonus:

offline-envs collect AntAngle-v0 my/ant-forward-v0 --kind replay --steps 350000 \
    --env-kwargs '{"degrees": 0, "control_cost": 0.1, "survive_bonus": 0.3}'
python examples/ant_angle.py my/ant-forward-v0 runs/ant-angle

It is `offline-envs train my/ant-forward-v0 --preset mopo-trpo/ant-angle`: the paper's penalised model, and in
it TRPO, which starts from a clone of the data and learns from long rollouts.
"""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from offline_envs.runs import TrainSettings, preset, train


@dataclass(frozen=True)
class Settings:
    """MOPO for this task; `changes` are settings of a run that differ from the preset's."""

    dataset: str
    folder: Path
    degrees: float = 30.0
    changes: dict[str, Any] = field(default_factory=dict)


def main(settings: Settings) -> float:
    """Train on the relabelled data and return the mean score in the real environment of the task."""
    found = preset("mopo-trpo/ant-angle").settings
    task = f"ant-angle:degrees={settings.degrees},survive_bonus=1"
    run = TrainSettings.for_algorithm(
        {**found, "dataset": settings.dataset, "task": task, **settings.changes}
    )
    result = train(run, settings.folder)
    print(f"dataset: mean return {result.dataset_mean:.0f}, best {result.dataset_best:.0f}")
    print(f"policy, {settings.degrees:g} degrees: {result.real_return:.0f} +- {result.real_std:.0f}")
    return result.real_return


if __name__ == "__main__":
    main(Settings(sys.argv[1], Path(sys.argv[2])))
