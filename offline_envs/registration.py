"""The table of environment ids. It holds strings alone, so that importing the package stays cheap."""

import gymnasium as gym

ENTRY_POINTS = "offline_envs.envs.entry_points"

HORIZON = 5
"""Default `max_episode_steps` of branched rollouts: MOPO's and MBPO's longer length."""

LONG_HORIZON = 500
"""Default `max_episode_steps` of whole episodes, which halts keep near the data: MOReL's."""

ENTRIES = {
    "LearnedModel-v0": ("learned_env", "learned_vector_env", HORIZON),
    "PenalizedModel-v0": ("penalized_env", "penalized_vector_env", HORIZON),
    "PessimisticModel-v0": ("pessimistic_env", "pessimistic_vector_env", LONG_HORIZON),
    "AdversarialModel-v0": ("adversarial_env", "adversarial_vector_env", HORIZON),
}
"""Every id with the names of its single and of its vector entry point, and its horizon."""

ENV_IDS = tuple(ENTRIES)
"""Every id of a learned environment."""

TASKS = {
    "halfcheetah-jump": ("HalfCheetahJump-v0", "offline_envs.tasks.halfcheetah_jump:halfcheetah_jump"),
    "ant-angle": ("AntAngle-v0", "offline_envs.tasks.ant_angle:ant_angle"),
    "halfcheetah-velocity": (
        "HalfCheetahVelocity-v0",
        "offline_envs.tasks.halfcheetah_velocity:halfcheetah_velocity",
    ),
}
"""Every task by name: the id of its real environment, and the function that makes it."""

TASK_ENTRY_POINT = "offline_envs.tasks.entry_point:task_env"

EPISODE_STEPS = 1000
"""`max_episode_steps` of the tasks' real environments, as Gymnasium has it for the robots they use."""

TASK_ENV_IDS = tuple(env_id for env_id, _ in TASKS.values())
"""Every id of a real environment that pays a task's reward."""


def register_all() -> None:
    """Register every id that is not registered yet."""
    for env_id, (single, vector, horizon) in ENTRIES.items():
        if env_id not in gym.registry:
            gym.register(
                env_id,
                entry_point=f"{ENTRY_POINTS}:{single}",
                vector_entry_point=f"{ENTRY_POINTS}:{vector}",
                max_episode_steps=horizon,
            )
    for name, (env_id, _) in TASKS.items():
        if env_id not in gym.registry:
            gym.register(
                env_id,
                entry_point=TASK_ENTRY_POINT,
                max_episode_steps=EPISODE_STEPS,
                kwargs={"task": name},
            )
