"""`RayLauncher`: tasks of a sweep on Ray, which has to be installed."""

import importlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import chdir, nullcontext
from pathlib import Path
from typing import Any

from offline_envs.errors import OfflineEnvsError, SettingsError
from offline_envs.sweep.config import Resources, Stop
from offline_envs.sweep.launcher import Report, Stopped

STEPS = "gradient_steps"


class RayLauncher:
    """Runs the fits as tasks of Ray, and the runs as trials of Ray Tune.

    Args:
        resources: What each task occupies.
        stop: When runs are stopped early, if ever.
        retries: How often a task whose process died is tried again.
        folder: Folder of the sweep; Tune keeps its logs in `ray` below it.
        address: Address of a cluster; None for this machine.
        prepare: Called first in the process of each task, e.g. to register an agent; it has to be picklable.

    Raises:
        SettingsError: Ray is not installed.
    """

    def __init__(
        self,
        resources: Resources,
        stop: Stop | None,
        retries: int,
        folder: Path,
        address: str | None,
        prepare: Callable[[], None] | None = None,
    ) -> None:
        try:
            self._ray: Any = importlib.import_module("ray")
            self._tune: Any = importlib.import_module("ray.tune")
        except ImportError as error:
            raise SettingsError(
                f"A sweep needs Ray Tune: pip install 'offline-envs[sweep]' ({error})."
            ) from error
        self._resources, self._stop, self._retries = resources, stop, retries
        self._folder, self._address = folder, address
        self._working_directory, self._prepare = Path.cwd(), prepare

    def fit(self, function: Callable[[Any], None], tasks: Sequence[Any]) -> None:
        """See `Launcher`."""
        if not tasks:
            return
        self._connect()
        remote = self._ray.remote(
            num_cpus=self._resources.cpus, num_gpus=self._resources.gpus, max_retries=self._retries
        )(self._as_here(function))
        self._ray.get([remote.remote(task) for task in tasks])

    def train(
        self, function: Callable[[Any, Report], None], tasks: Mapping[str, Any], steps: int, stopped: Stopped
    ) -> None:
        """See `Launcher`."""
        self._connect()
        tune = self._tune
        run = self._as_here(function)

        def trainable(config: dict[str, Any]) -> None:
            def report(row: Mapping[str, Any], folder: Path) -> None:
                del folder  # where the run keeps what Tune would keep
                tune.report({name: value for name, value in row.items() if value is not None})

            run(tasks[config["run"]], report)

        tuner = tune.Tuner(
            tune.with_resources(trainable, {"cpu": self._resources.cpus, "gpu": self._resources.gpus}),
            param_space={"run": tune.grid_search(list(tasks))},
            tune_config=tune.TuneConfig(scheduler=self._scheduler(steps)),
            run_config=tune.RunConfig(
                name="tune",
                storage_path=str((self._folder / "ray").resolve()),
                failure_config=tune.FailureConfig(max_failures=self._retries),
                callbacks=[_stop_callback(tune.Callback, tasks, stopped)],
            ),
        )
        _check_results(tuner.fit(), len(tasks))

    def _as_here(self, function: Callable[..., None]) -> Callable[..., None]:
        return _as_in(self._working_directory, self._prepare, function)

    def _connect(self) -> None:
        if not self._ray.is_initialized():
            self._ray.init(address=self._address, include_dashboard=False)

    def _scheduler(self, steps: int) -> Any:
        if self._stop is None:
            return None
        return self._tune.schedulers.ASHAScheduler(
            time_attr=STEPS,
            metric=self._stop.figure,
            mode="max",
            max_t=steps,
            grace_period=self._stop.first,
            reduction_factor=self._stop.keep,
        )


def _as_in(
    directory: Path, prepare: Callable[[], None] | None, function: Callable[..., None]
) -> Callable[..., None]:
    """A function that finds the names and the working directory of the process that starts a sweep.

    Tune gives every trial a directory of its own, and paths of datasets, models and columns in the settings
    may be relative. On a machine without the directory they stay as they are.
    """

    def inside(*arguments: Any) -> None:
        if prepare is not None:
            prepare()
        with chdir(directory) if directory.is_dir() else nullcontext():
            function(*arguments)

    return inside


def _stop_callback(base: type[Any], tasks: Mapping[str, Any], stopped: Stopped) -> Any:
    """A callback of Tune that tells of runs that were stopped early; a complete one has a result."""

    class StopCallback(base):  # type: ignore[misc]
        def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
            name = trial.config["run"]
            if not (tasks[name][1] / "result.json").exists():
                stopped(name, int(trial.last_result[STEPS]))

    return StopCallback()


def _check_results(results: Any, n_runs: int) -> None:
    """Refuse runs that failed, with the first one's error.

    Raises:
        OfflineEnvsError: Such runs.
    """
    failed = {result.config["run"]: result.error for result in results if result.error is not None}
    if failed:
        name, error = next(iter(failed.items()))
        raise OfflineEnvsError(
            f"{len(failed)} of {n_runs} runs failed, the first one, {name}, with: "
            f"{str(error).strip().splitlines()[-1]}. The same command resumes the sweep."
        )
