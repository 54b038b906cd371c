"""`train`: one run from dataset to scored policy."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any

from offline_envs.data import Transitions
from offline_envs.envs import check_device, resolve_model
from offline_envs.errors import SettingsError
from offline_envs.runs.agent import check_agent, check_agent_options
from offline_envs.runs.algorithms import algorithm
from offline_envs.runs.evaluations.on_evaluation import OnEvaluation, check_callbacks
from offline_envs.runs.folder import RunFolder
from offline_envs.runs.results import TrainResult
from offline_envs.runs.run import Run
from offline_envs.runs.settings import TrainSettings
from offline_envs.settings import check_arguments


@check_arguments
def train(
    settings: TrainSettings,
    folder: Path | str,
    *,
    resume: bool = False,
    show_progress: bool = True,
    transitions: Transitions | None = None,
    callbacks: Sequence[OnEvaluation] = (),
    prepare: Callable[[], None] | None = None,
) -> TrainResult:
    """Train a policy inside a learned model, and score it in the real environment.

    Args:
        settings: The run.
        folder: Where it is written; see `RunFolder`.
        resume: Whether to resume an interrupted run of the same settings; a complete one is only read.
        show_progress: Whether to show progress on standard error.
        transitions: The dataset of the settings, if `check_possible` has loaded it already; seeds share
            it.
        callbacks: Functions that are given each evaluation and the folder, see `OnEvaluation`. What one
            raises stops the run, which can be resumed; a resumed run repeats evaluations after its last
            checkpoint.
        prepare: With `evaluate_beside`, called first in the process that evaluates, e.g. to register an agent
            or a task; a function of a module.

    Raises:
        SettingsError: Settings that cannot be used, or a folder of another run or in use.
        Exception: What a callback raises, with a note that says how to resume.
        DatasetError: The dataset cannot be used, or does not name its environment.
        CheckpointError: The model or the checkpoint cannot be read.
        KeyboardInterrupt: Interrupted; the folder can be resumed. Ctrl-C and SIGTERM are obeyed at the end of
            a cycle, from which a run resumes exactly, and at once if they come again.
    """
    check_callbacks(callbacks)
    run_folder = RunFolder(folder)
    run_folder.check(settings, resume=resume)
    if resume and run_folder.result_file.exists():
        run_folder.clear_if_free()
        return run_folder.result()
    if transitions is None:
        transitions = check_possible(settings)
    options: dict[str, Any] = {"resume": resume, "show_progress": show_progress, "callbacks": callbacks}
    with claimed_run(settings, run_folder, transitions, prepare=prepare, **options) as run:
        return run_folder.result() if run is None else algorithm(settings.algorithm).train(run)


@contextmanager
def claimed_run(
    settings: TrainSettings,
    folder: RunFolder,
    transitions: Transitions,
    *,
    resume: bool,
    show_progress: bool,
    callbacks: Sequence[OnEvaluation],
    prepare: Callable[[], None] | None,
) -> Iterator[Run | None]:
    """Claim the folder of a run, which is made if it is new, and make its real environment.

    Args:
        settings: The run.
        folder: Its folder, which was checked.
        transitions: Its dataset.
        resume: See `train`.
        show_progress: See `train`.
        callbacks: See `train`.
        prepare: See `train`.

    Yields:
        The run; None if another process has completed it meanwhile.

    Raises:
        SettingsError: See `RunFolder.check`; the folder is in use; or `prepare` cannot reach the process that
            evaluates.
    """
    _check_prepare(settings, prepare)
    with closing(transitions.make_env()) as real_env, folder.claimed():
        folder.check(settings, resume=resume)  # what another process did meanwhile
        if folder.result_file.exists():
            yield None
            return
        folder.create(settings)
        parts = (settings, folder, transitions, real_env, show_progress)
        yield Run(*parts, callbacks=callbacks, prepare=prepare)


def _check_prepare(settings: TrainSettings, prepare: Callable[[], None] | None) -> None:
    """Refuse what the process that evaluates, which starts after the fit, could not be given."""
    if not settings.evaluate_beside:
        return
    try:
        ForkingPickler.dumps(prepare)
    except Exception as error:  # whatever its parts raise
        raise SettingsError(
            "With evaluate_beside, prepare is called in another process, so it must be a function of a "
            f"module, or functools.partial of one; {prepare!r} cannot be pickled: {error}"
        ) from error


def check_possible(settings: TrainSettings) -> Transitions:
    """Load the dataset, and refuse settings that cannot work with it before anything is computed or written.

    Args:
        settings: The run.

    Returns:
        The dataset, with the reward of the run's task and the history that it has.

    Raises:
        OfflineEnvsError: See `train`.
    """
    check_device(settings.device)
    check_agent_options(settings)
    transitions = settings.transitions()
    transitions.make_env().close()
    chosen = algorithm(settings.algorithm)
    chosen.check_data(settings, transitions)
    check_agent(settings, transitions, clones=chosen.clones(settings))
    if settings.model is not None:
        dimensions = (transitions.obs_dim, transitions.action_dim)
        resolve_model(settings.model, *dimensions, device=settings.device, history=settings.history)
    return transitions
