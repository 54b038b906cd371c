"""The learned MDP: one batched model step, and the parts that it is composed of."""

from offline_envs.mdp.following import Followed, ModelWorld, Starts, World, drop_ended, follow, keep_all
from offline_envs.mdp.guard import Guard
from offline_envs.mdp.infos import (
    EXPLODED,
    FINAL_OBS,
    FINAL_OBS_MASK,
    PENALTY,
    RAW_REWARD,
    RESET_MASK,
    START_OBS,
    START_ROW,
    step_infos,
)
from offline_envs.mdp.inputs import as_actions, as_choices, as_numbers, as_tensor, check_reset_options
from offline_envs.mdp.known import (
    Known,
    KnownChoice,
    KnownColumns,
    Replay,
    StepFunction,
    resolve_known,
    with_reward,
)
from offline_envs.mdp.mdp import LearnedMDP, row_chunks
from offline_envs.mdp.members import Members
from offline_envs.mdp.samplers import (
    SAMPLERS,
    EliteSampler,
    FollowsMember,
    MeanSampler,
    Sampler,
    find_sampler,
)
from offline_envs.mdp.spread import SpreadSampler, with_spread
from offline_envs.mdp.starts import STARTS, StartStates
from offline_envs.mdp.step import Step
from offline_envs.mdp.termination import TERMINATIONS, check_termination, resolve_termination
from offline_envs.mdp.transform import Transform

__all__ = [
    "EXPLODED",
    "FINAL_OBS",
    "FINAL_OBS_MASK",
    "PENALTY",
    "RAW_REWARD",
    "RESET_MASK",
    "SAMPLERS",
    "STARTS",
    "START_OBS",
    "START_ROW",
    "TERMINATIONS",
    "EliteSampler",
    "Followed",
    "FollowsMember",
    "Guard",
    "Known",
    "KnownChoice",
    "KnownColumns",
    "LearnedMDP",
    "MeanSampler",
    "Members",
    "ModelWorld",
    "Replay",
    "Sampler",
    "SpreadSampler",
    "StartStates",
    "Starts",
    "Step",
    "StepFunction",
    "Transform",
    "World",
    "as_actions",
    "as_choices",
    "as_numbers",
    "as_tensor",
    "check_reset_options",
    "check_termination",
    "drop_ended",
    "find_sampler",
    "follow",
    "keep_all",
    "resolve_known",
    "resolve_termination",
    "row_chunks",
    "step_infos",
    "with_reward",
    "with_spread",
]
