"""`CollectSettings`: the settings of one collected dataset, checked when they are made."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from offline_envs.agents import find_saved_agent, online_agents
from offline_envs.errors import SettingsError, unknown_name
from offline_envs.settings import LARGEST_GLOBAL_SEED, TypedSettings, check_seed

DEFAULT_TRAIN_STEPS = 100_000


class Kind(StrEnum):
    """Where the steps of a dataset come from, in the words of D4RL (Fu et al. 2020, section 5)."""

    RANDOM = "random"
    MEDIUM = "medium"
    EXPERT = "expert"
    REPLAY = "replay"


@dataclass(frozen=True)
class CollectSettings(TypedSettings):
    """Settings of one collected dataset.

    Attributes:
        kind: `random`, uniform actions; `replay`, every step that an agent took in a training from
            scratch, in order; `expert`, rollouts of the best policy of a training; `medium`, rollouts of
            the policy about a third of the way from random actions to that best policy.
        steps: Number of steps written.
        seed: Seed of everything random.
        agent: Agent that is trained, one with a replay buffer, or that saved `policy`; see
            `offline_envs.agents.AGENTS` and `saved_agents`.
        net_arch: Widths of the hidden layers of actor and critics.
        policy: What to roll out instead of training: a policy saved by Stable-Baselines3 (.zip), or the text
            of a planner, e.g. `"cem:horizon=15"`. Loading a file runs code stored in it: load only files you
            trust.
        train_steps: Length of the training behind `medium` and `expert`, in steps; None for 100 000.
        deterministic: Roll out the policy's mean action instead of sampling.
        env_kwargs: Keywords of the environment.

    Raises:
        SettingsError: A number is out of range, or a setting has no meaning for this kind.
    """

    kind: Kind
    steps: int
    seed: int = 0
    agent: str = "sac"
    net_arch: tuple[int, ...] = (256, 256)
    policy: Path | str | None = None
    train_steps: int | None = None
    deterministic: bool = False
    env_kwargs: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in list(Kind):
            raise unknown_name("kind", self.kind, Kind)
        object.__setattr__(self, "kind", Kind(self.kind))  # its name will do
        super().__post_init__()
        _check_positive("steps", self.steps)
        if self.train_steps is not None:
            _check_positive("train_steps", self.train_steps)
        for width in self.net_arch:
            _check_positive("net_arch", width)
        check_seed(self.seed, largest=LARGEST_GLOBAL_SEED)
        agent = find_saved_agent(self.agent)
        if (not agent.off_policy or agent.offline) and (self.trains_first or self.kind is Kind.REPLAY):
            raise SettingsError(
                "Only an agent that learns from real steps in a replay buffer can be trained here, got "
                f"{self.agent}. Valid: {', '.join(online_agents())}; or give a policy that {self.agent} "
                "saved."
            )
        if self.plans:
            from offline_envs.policies import check_planner_alone

            check_planner_alone(str(self.policy), "policy")
        if self.policy is not None and not self.rolls_out_policy:
            raise SettingsError(f"policy is for kinds medium and expert, got kind {self.kind}.")
        if self.deterministic and not self.rolls_out_policy:
            raise SettingsError(f"deterministic is for kinds medium and expert, got kind {self.kind}.")
        if self.train_steps is not None and not self.trains_first:
            raise SettingsError(
                "train_steps is for kinds medium and expert without a policy; replay trains while it "
                f"records. Got kind {self.kind}, policy {self.policy}."
            )

    @property
    def rolls_out_policy(self) -> bool:
        """Whether the steps come from one fixed policy."""
        return self.kind in (Kind.MEDIUM, Kind.EXPERT)

    @property
    def plans(self) -> bool:
        """Whether the policy is a planner, which needs a model."""
        if self.policy is None:
            return False
        from offline_envs.policies import needs_model  # torch, which the command line starts without

        return needs_model(str(self.policy))

    @property
    def trains_first(self) -> bool:
        """Whether a policy has to be trained before the first step is recorded."""
        return self.rolls_out_policy and self.policy is None

    @property
    def training_length(self) -> int:
        """Steps of the training that comes before the recording, 0 if there is none."""
        if not self.trains_first:
            return 0
        return DEFAULT_TRAIN_STEPS if self.train_steps is None else self.train_steps


def _check_positive(name: str, value: int) -> None:
    if value < 1:
        raise SettingsError(f"{name} must be 1 or more, got {value}.")
