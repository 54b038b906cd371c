"""The algorithms of a run: which environment each trains in, and what it changes of a run's defaults."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from offline_envs.errors import unknown_name


@dataclass(frozen=True)
class Algorithm:
    """A way to train.

    Attributes:
        env_id: Environment that it trains in; None if it needs no model.
        env_settings: Settings of a run that the environment takes under the same names.
        defaults: Settings of a run whose defaults it changes.
        agent_defaults: Further ones that hold for one agent, by its name.
        unused: Settings of a run that mean nothing to it.
    """

    env_id: str | None
    env_settings: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict)
    agent_defaults: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    unused: tuple[str, ...] = ()

    def with_defaults(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """`values`, and the algorithm's own default of what they leave out."""
        agent = values.get("agent", self.defaults.get("agent"))
        return merged(merged(self.defaults, self.agent_defaults.get(str(agent), {})), values)


def merged(settings: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`settings` with `changes`; a setting that is itself settings by name keeps those that do not change."""
    result = {**settings, **changes}
    for name in settings.keys() & changes.keys():
        before, after = settings[name], changes[name]
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            result[name] = {**before, **after}
    return result


ADVERSARY = ("adversary", "adversary_every")
MODEL = ("model", "ensemble", "fit", "termination", "start", "horizon", "env_settings")
PENALTY = ("penalty_coef", "penalty", "penalty_members")
COLLECTION = ("n_envs", "transitions_per_gradient_step", "rollout_actions", "real_ratio", "clone_epochs")

ON_POLICY: Mapping[str, Any] = {
    "gradient_steps": 500,
    "eval_every": 10,
    "transitions_per_gradient_step": 25_000.0,
}
"""An agent without a replay buffer takes few steps, each on many transitions."""

TRPO_FROM_CLONE: Mapping[str, Any] = {
    **ON_POLICY,
    "horizon": 500,
    "start": "initial",
    "clone_epochs": 10,
    "n_envs": 100,
    "agent_options": {
        "gamma": 0.995,
        "gae_lambda": 0.97,
        "batch_size": 2500,
        "policy_kwargs": {"net_arch": [128, 128], "log_std_init": -1.0},
    },
}
"""TRPO where no paper has it: settings that `docs/results.md` measures on ant-angle."""


ALGORITHMS: Mapping[str, Algorithm] = {
    # Yu et al. 2020.
    "mopo": Algorithm(
        "PenalizedModel-v0", PENALTY, agent_defaults={"trpo": TRPO_FROM_CLONE}, unused=ADVERSARY
    ),
    # Janner et al. 2019, on a model that is fitted once.
    "mbpo": Algorithm(
        "LearnedModel-v0",
        agent_defaults={"trpo": TRPO_FROM_CLONE},
        unused=("penalty_coef", *ADVERSARY),
    ),
    # Kidambi et al. 2020. TRPO is the nearest to its natural policy gradient that is kept up: it searches
    # along the same direction for a step that improves and stays close. Networks, discount, noise, starts
    # and the cloned policy are those of the release.
    "morel": Algorithm(
        "PessimisticModel-v0",
        ("gamma",),
        defaults={
            "agent": "trpo",
            "horizon": 500,
            "start": "initial",
            "clone_epochs": 5,
            "transitions_per_gradient_step": 250.0,
        },
        agent_defaults={
            "trpo": {
                **ON_POLICY,
                "agent_options": {
                    "gamma": 0.999,
                    "gae_lambda": 0.97,
                    "batch_size": 2500,
                    "policy_kwargs": {"net_arch": [64, 64], "log_std_init": -0.25},
                },
            }
        },
        unused=("penalty_coef", *ADVERSARY),
    ),
    # Rigter et al. 2022.
    "rambo": Algorithm(
        "AdversarialModel-v0", defaults={"real_ratio": 0.5, "clone_epochs": 50}, unused=("penalty_coef",)
    ),
    # Behaviour cloning: no model, no reward.
    "bc": Algorithm(
        None,
        defaults={"gradient_steps": 50_000},
        agent_defaults={
            "trpo": {"transitions_per_gradient_step": 25_000.0, "agent_options": {"batch_size": 50}}
        },
        unused=(*PENALTY, *MODEL, *COLLECTION, *ADVERSARY),
    ),
}
"""Algorithm by name."""


def algorithm(name: str) -> Algorithm:
    """The algorithm of that name.

    Raises:
        SettingsError: An unknown name; the message lists the valid ones.
    """
    if name not in ALGORITHMS:
        raise unknown_name("algorithm", name, ALGORITHMS)
    return ALGORITHMS[name]
