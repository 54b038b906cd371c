"""How many steps ahead can the model predict?"""

from dataclasses import dataclass
from operator import attrgetter
from typing import Self

from offline_envs.diagnose.base import Advice, Chapter, Section
from offline_envs.diagnose.evidence import Evidence, device_generator
from offline_envs.diagnose.ground_truth import Replay
from offline_envs.diagnose.horizon.open_loop import (
    LIMIT,
    MEAN,
    MIN_WINDOWS,
    SAMPLED,
    SIMULATOR,
    STILL,
    OpenLoopError,
    open_loop_error,
)
from offline_envs.diagnose.horizon.plot import TITLE, plot_horizon

RECORDED, CHOSEN = "dataset actions", "policy actions"

RULE = (
    f"Steps reached by fewer than {MIN_WINDOWS} episodes are not judged. This is an upper bound: a policy "
    "exploits errors that these states do not show."
)


@dataclass(frozen=True)
class HorizonReport(Section):
    """Growth of the model's error with the horizon.

    Attributes:
        errors: Open-loop error along the dataset's actions and, with policy and simulator, the policy's.
        replay: Agreement of the simulator with the dataset, or None without a simulator.
        n_starts: Number of states from which forecasts start.
        train_horizon: Training horizon of a policy.
    """

    errors: tuple[OpenLoopError, ...]
    replay: Replay | None
    n_starts: int
    train_horizon: int

    @classmethod
    def measure(cls, evidence: Evidence) -> Self:
        """Follow recorded and chosen actions in the model, and compare with the real steps.

        Rewards of the simulator and of the dataset are compared with each other only if they are the same.
        """
        truth, mdp, scale = evidence.truth, evidence.assembly.mdp, evidence.scale
        generator = device_generator(evidence.assembly, evidence.settings, 4)
        simulation = truth.simulation
        newest = slice(0, evidence.transitions.newest.obs_dim)
        foreign, own = ((), ()) if truth.same_reward else ((SIMULATOR,), (SAMPLED, MEAN, STILL))
        recorded = open_loop_error(
            RECORDED,
            mdp,
            truth.recorded,
            scale,
            {} if simulation is None else simulation.groups,
            generator=generator,
            columns=newest,
            repeated=None if simulation is None else simulation.repeated,
            without_reward=foreign,
        )
        errors = [recorded]
        if simulation is not None and simulation.chosen is not None:
            chosen = open_loop_error(
                CHOSEN,
                mdp,
                simulation.chosen,
                scale,
                simulation.groups,
                generator=generator,
                columns=newest,
                without_reward=own,
            )
            errors.append(chosen)
        replay = None if simulation is None else simulation.replay
        return cls(tuple(errors), replay, len(truth.recorded), evidence.settings.train_horizon)

    @property
    def notes(self) -> tuple[str, ...]:
        """A note if there are too few episodes to judge any step."""
        if self.n_starts >= MIN_WINDOWS:
            return ()
        note = (
            f"Judging a horizon takes at least {MIN_WINDOWS} episodes, but only {self.n_starts} were "
            "followed: it is unknown."
        )
        return (note,)

    def chapters(self) -> list[Chapter]:
        """One plot of the error against the number of steps."""
        running = "; ".join(
            "{} at the first step and {} at the last along {}".format(*e.episodes, e.actions)
            for e in self.errors
        )
        replay = self.replay
        repeated = (
            ""
            if replay is None
            else f" The simulator, set to {replay.n} recorded observations and given the recorded actions, "
            f"reproduces the recorded next observations to within {replay.obs_error:.1g} deviations."
        )
        text = (
            "The model starts from a state of the data and follows the actions that were actually taken, "
            "continuing from its own predictions. The truth is the recording or, along the policy, a "
            "simulator run from the same state, with actions chosen on the simulator's observations. The "
            "model was fitted to most of the recorded steps, but to none of the policy's. Errors are root "
            "mean squares in deviations of the data, and curves are medians over the episodes still running "
            f"({running}). The sampled forecast includes noise, as training does; the mean forecast does not."
            + repeated
        )
        rows = [row for error in self.errors for row in error.rows()]
        return [Chapter("foresight", TITLE, text, lambda path: plot_horizon(self.errors, path), rows)]

    def advice(self) -> list[Advice]:
        """Advice on the training horizon."""
        if min(error.judged for error in self.errors) == 0:
            return [Advice("horizon", f"unknown: fewer than {MIN_WINDOWS} episodes", "", RULE)]
        half, most, noisy = (
            min(self.errors, key=attrgetter(name)) for name in ("trusted", "trusted_by_most", "sampled")
        )
        figures = (
            f"accurate in 9 of 10 episodes to step {_steps(most, 'trusted_by_most')}, in half to "
            f"{_steps(half, 'trusted')}, with noise to {_steps(noisy, 'sampled')}"
        )
        warning = True
        if half.trusted == 0:
            value = "none: a single step is already too inaccurate"
        elif most.trusted_by_most == 0:
            value = "1: already too inaccurate in 1 of 10 episodes"
        else:
            warning = noisy.sampled < min(most.trusted_by_most, self.train_horizon)
            value = f"up to {_steps(most, 'trusted_by_most')}{', but noisy' if warning else ''}"
        return [Advice("horizon", value, figures, self._reasons(), warning=warning)]

    def _reasons(self) -> str:
        each = "; ".join(
            f"along {e.actions} up to step {_steps(e, 'trusted')} in half of the episodes, up to step "
            f"{_steps(e, 'trusted_by_most')} in nine of ten, and with the noise that training adds up to "
            f"step {_steps(e, 'sampled')} in half"
            for e in self.errors
        )
        return (
            f"The open-loop error of the model's mean stays below {LIMIT} deviations of the data, and below "
            f"the error of predicting no change, {each}. {RULE}"
        )


def _steps(error: OpenLoopError, name: str) -> str:
    steps = int(getattr(error, name))
    return f"{steps} (the last judged)" if steps >= error.judged else str(steps)
