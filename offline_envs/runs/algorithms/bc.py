"""BC: behaviour cloning without a model, the baseline for every other algorithm."""

import time

from offline_envs.agents import AGENTS
from offline_envs.data import Transitions
from offline_envs.errors import SettingsError
from offline_envs.runs.agent import new_agent
from offline_envs.runs.algorithms.base import EVERY_RUN, Algorithm
from offline_envs.runs.plots import plot_learning_curve
from offline_envs.runs.progress import RunProgress
from offline_envs.runs.results import MetricsRow, TrainResult
from offline_envs.runs.run import EVALUATION_SEED, FINAL_SEED, Run
from offline_envs.runs.run_settings import RunSettings
from offline_envs.sb3 import BEST_POLICY, LAST_POLICY, BehaviorCloner, evaluate_in, save_policy


class BehaviourCloning(Algorithm):
    """BC: the run's gradient steps are those of the cloning.

    It takes minutes, so an interrupted run starts over.
    """

    def check(self, settings: RunSettings) -> None:
        """See `Algorithm`."""
        if not AGENTS.find(settings.agent).continuous:
            raise SettingsError(
                f"{settings.algorithm} fits probabilities of actions; {settings.agent} chooses the largest "
                "of its values, which recorded choices do not tell. Valid for discrete actions: "
                f"{_of_choices()}."
            )

    def check_data(self, settings: RunSettings, transitions: Transitions) -> None:
        """See `Algorithm`."""
        if transitions.discrete_actions is not None and not AGENTS.find(settings.agent).discrete:
            raise SettingsError(
                f"{settings.agent} is not for the actions of {transitions.source}, "
                f"{transitions.discrete_actions}. Valid agents of {settings.algorithm} for them: "
                f"{_of_choices()} (--agent)."
            )

    def clones(self, settings: RunSettings) -> bool:
        """See `Algorithm`."""
        del settings  # Unused.
        return True

    def train(self, run: Run) -> TrainResult:
        """Clone the dataset's behaviour, and score the policy on the way and at the end."""
        settings, folder = run.settings, run.folder
        agent = new_agent(settings, run.real_env, run.transitions)
        cloner = BehaviorCloner(agent, run.transitions, loss=settings.clone_loss, seed=settings.seed)
        progress = RunProgress(settings.gradient_steps, shown=run.show_progress)
        started = time.monotonic()
        rows: list[MetricsRow] = []
        progress.start()
        try:
            while cloner.gradient_steps < settings.gradient_steps:
                cloner.train(min(settings.eval_every, settings.gradient_steps - cloner.gradient_steps))
                found = evaluate_in(
                    run.real_env, agent, n_episodes=settings.eval_episodes, seed=EVALUATION_SEED
                )
                seconds = time.monotonic() - started
                rows.append(MetricsRow.of(found, gradient_steps=cloner.gradient_steps, seconds=seconds))
                folder.write_metrics(rows)
                save_policy(agent, folder.policies / LAST_POLICY)
                if found.mean >= max(row.real_return for row in rows):
                    save_policy(agent, folder.policies / BEST_POLICY)
                progress.evaluated(cloner.gradient_steps, f"real return {found.mean:.0f} ± {found.std:.0f}")
                run.tell(rows[-1])
        finally:
            progress.stop()
        plot_learning_curve(rows, run.transitions, folder.plots / "real_return.png")
        final = evaluate_in(run.real_env, agent, n_episodes=settings.final_episodes, seed=FINAL_SEED)
        result = TrainResult.of(settings, run.transitions, final, gradient_steps=cloner.gradient_steps)
        folder.write_result(result)
        return result


def _of_choices() -> str:
    """Agents whose policies give discrete actions probabilities: those that act in a Box as well."""
    return ", ".join(name for name, agent in AGENTS.items() if agent.discrete and agent.continuous)


BC = BehaviourCloning(
    uses=(*EVERY_RUN, "clone_loss", "standardize_obs"),
    defaults={"gradient_steps": 50_000},
    agent_defaults={"trpo": {"transitions_per_gradient_step": 25_000.0, "agent_options": {"batch_size": 50}}},
)
"""Behaviour cloning: no model, no reward."""
