"""`compare_runs`: every estimate of every run's policy, and what follows from them."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from offline_envs.compare.choice import Choice, Estimates, ReturnRange, choices, verdict
from offline_envs.compare.estimators import ESTIMATORS
from offline_envs.compare.evidence import Evidence
from offline_envs.compare.run_policies import RunPolicy, find_policies
from offline_envs.compare.settings import CompareSettings
from offline_envs.data import Transitions, check_continuous
from offline_envs.dynamics import read_model_card
from offline_envs.errors import CheckpointError, SettingsError
from offline_envs.evaluation.off_policy import Estimate
from offline_envs.files import (
    check_writable,
    differences,
    holder,
    key_of,
    locked,
    plain,
    read_json,
    write_json,
)
from offline_envs.settings import check_arguments

ESTIMATES, WORK, LOCK = "estimates", "work", ".lock"


@dataclass(frozen=True)
class Comparison:
    """All estimates of several policies.

    Attributes:
        policies: The policies.
        estimates: Estimates of each by its name, themselves by the name of the estimator.
        choices: What each rule chooses.
        verdict: Whether any rule chose well, in a sentence.
        returns: Worst and best episode return of the dataset.
    """

    policies: Sequence[RunPolicy]
    estimates: dict[str, Estimates]
    choices: list[Choice]
    verdict: str
    returns: ReturnRange

    @classmethod
    def of(
        cls, policies: Sequence[RunPolicy], estimates: dict[str, Estimates], transitions: Transitions
    ) -> "Comparison":
        """Draw the conclusions from estimates."""
        recorded = transitions.episode_returns
        returns = ReturnRange(float(recorded.min()), float(recorded.max()))
        truth = {judged.name: judged.real_return for judged in policies}
        found = choices(estimates, truth, returns)
        known = [value for value in truth.values() if value is not None]
        return cls(policies, estimates, found, verdict(found, known), returns)


@check_arguments
def compare_runs(
    folders: Sequence[Path | str],
    output: Path | str,
    settings: CompareSettings | None = None,
    *,
    estimators: Sequence[str] | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> Comparison:
    """Judge the policies of runs without the real environment.

    Each estimate is written as soon as it is known, with everything that it depends on. The same call
    continues where an interrupted one was, and one with more runs keeps the estimates that there are.

    Args:
        folders: Folders of runs of one dataset, see `find_policies`.
        output: Folder to write to.
        settings: How policies are compared; None means the defaults.
        estimators: Names in `ESTIMATORS`; None means all.
        say: Called with a line before each estimate.

    Raises:
        SettingsError: An unknown estimator, runs that cannot be compared, as those of discrete actions, or a
            folder that holds something else or is in use.
        CheckpointError: A run or a model cannot be read.
        StorageError: The folder cannot be written.

    Warns:
        UserWarning: Each run is judged by a model of its own, and these differ.
    """
    settings, output = settings or CompareSettings(), Path(output).expanduser()
    chosen = list(ESTIMATORS if estimators is None else dict.fromkeys(estimators))
    for name in chosen:
        ESTIMATORS.find(name)
    policies = find_policies([Path(folder).expanduser() for folder in folders])
    _check_output(output)
    if settings.model is not None:
        read_model_card(settings.model)
    elif any(ESTIMATORS[name].needs_model for name in chosen):
        _warn_of_models(policies)
    transitions = policies[0].settings.transitions()
    check_continuous(transitions.discrete_actions, "compare")
    with locked(output / LOCK, busy=lambda: _refuse(output), protects=output):
        estimates: dict[str, Estimates] = {}
        for judged in policies:
            evidence = Evidence(judged, transitions, settings, output / WORK)
            estimates[judged.name] = _estimates(evidence, chosen, output / ESTIMATES, say)
    return Comparison.of(policies, estimates, transitions)


def _estimates(
    evidence: Evidence, names: Sequence[str], folder: Path, say: Callable[[str], None]
) -> Estimates:
    found: dict[str, Estimate] = {}
    for name in names:
        if ESTIMATORS[name].needs_model and evidence.model is None:
            continue
        # Not by its name, which depends on the other runs' paths.
        path = folder / key_of(evidence.identity) / f"{name}.json"
        known = _read(path, evidence.identity)
        if known is None:
            say(f"{evidence.judged.name}: {name} …")
            known = ESTIMATORS[name].judge(evidence)
            write_json(path, {"estimate": known.to_json(), "of": evidence.identity})
        found[name] = known
    return found


def _read(path: Path, identity: dict[str, Any]) -> Estimate | None:
    """The estimate in a file, if it is complete and of the same policy, data, model and settings."""
    try:
        values = read_json(path)
        if differences(plain(identity), values["of"]):
            return None
        return Estimate.from_json(values["estimate"])
    except (CheckpointError, KeyError, TypeError, ValueError):
        return None


def _check_output(output: Path) -> None:
    check_writable(output)
    if output.is_dir() and any(output.iterdir()) and not (output / ESTIMATES).is_dir():
        if {path.name for path in output.iterdir()} <= {WORK, LOCK}:
            return
        raise SettingsError(f"{output} holds something else than a comparison. Choose another folder.")


def _refuse(output: Path) -> None:
    raise SettingsError(f"{output} is in use by {holder(output / LOCK)}. Wait for it, or choose another.")


def _warn_of_models(policies: Sequence[RunPolicy]) -> None:
    models = {read_model_card(p.model)["weights_sha256"] for p in policies if p.model is not None}
    without = [p.name for p in policies if p.model is None]
    if len(models) > 1 or (models and without):
        several = f"{len(models)} different models" if len(models) > 1 else "one model"
        lacking = f", {', '.join(without)} in none" if without else ""
        warnings.warn(
            f"The runs were trained in {several}{lacking}: what their own models say of "
            "them also differs by the model. Let one judge all of them by model= (--model).",
            stacklevel=3,
        )
