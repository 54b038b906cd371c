"""Facts about real environments (termination rules, reference scores) and custom reward tasks on top.

`termination_rule(env_spec)` gives the rule by which episodes end, `normalized_score(env_id, returns)` places
returns between those of a random and an expert policy. Both look up the exact environment id.

`find_task("ant-angle:degrees=45")` makes a task, and `relabel(dataset, task)` gives a dataset its reward.
The real environment with that reward is registered: `gym.make("AntAngle-v0", degrees=45)`.
"""

from offline_envs.tasks.finding import EnvTable, find_task, known_tasks, task_settings
from offline_envs.tasks.reference_scores import (
    REFERENCE_SCORES,
    ReferenceScore,
    normalized_score,
    reference_score,
)
from offline_envs.tasks.relabelling.relabelling import Relabelling, relabel, task_transitions
from offline_envs.tasks.relabelling.report import RelabelReport
from offline_envs.tasks.relabelling.source_environment import real_env_spec
from offline_envs.tasks.task import Info, Task, changed_settings
from offline_envs.tasks.termination import KNOWN_RULES, RuleBuilder, register_rule, termination_rule
from offline_envs.tasks.termination_rules import TerminationRule, never

__all__ = [
    "KNOWN_RULES",
    "REFERENCE_SCORES",
    "EnvTable",
    "Info",
    "ReferenceScore",
    "RelabelReport",
    "Relabelling",
    "RuleBuilder",
    "Task",
    "TerminationRule",
    "changed_settings",
    "find_task",
    "known_tasks",
    "never",
    "normalized_score",
    "real_env_spec",
    "reference_score",
    "register_rule",
    "relabel",
    "task_settings",
    "task_transitions",
    "termination_rule",
]
