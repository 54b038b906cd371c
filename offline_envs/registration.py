"""The tables of environment ids. They hold only strings, so that importing the package stays cheap."""

import json
from typing import Any

import gymnasium as gym

from offline_envs.errors import SettingsError, unknown_name

LEARNED = "offline_envs.envs.entry_points:learned_env"
"""Entry point of every learned environment: what its id is recognised by."""

LEARNED_VECTOR = "offline_envs.envs.entry_points:learned_vector_env"
"""Its vector entry point."""

HORIZON = 5
"""Default `max_episode_steps` of branched rollouts: the longer horizon of MOPO and MBPO."""

LONG_HORIZON = 500
"""Default `max_episode_steps` of full episodes, which halts keep near the data, as in MOReL."""

FILTERED_HORIZON = 100
"""Default `max_episode_steps` of rollouts that end where a step is inconsistent, as in MOREC."""

METHODS = {
    "LearnedModel-v0": ("offline_envs.methods.plain:Plain", HORIZON),
    "PenalizedModel-v0": ("offline_envs.methods.penalty:Penalty", HORIZON),
    "PessimisticModel-v0": ("offline_envs.methods.halt:Halt", LONG_HORIZON),
    "AdversarialModel-v0": ("offline_envs.methods.adversarial:Adversarial", HORIZON),
    "ConsistentModel-v0": ("offline_envs.methods.consistent:Consistent", FILTERED_HORIZON),
}
"""Every id of a learned environment: the import path of its method's class, and its horizon."""

ENV_IDS = tuple(METHODS)
"""The ids of this package's learned environments."""

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
"""Written into the specs of relabelled datasets, which must stay loadable: not to be renamed."""

EPISODE_STEPS = 1000
"""`max_episode_steps` of the tasks' real environments, as in Gymnasium for the same robots."""

TASK_ENV_IDS = tuple(env_id for env_id, _ in TASKS.values())
"""The ids of this package's real environments with a task's reward."""


def register_all() -> None:
    """Register every id that is not registered yet."""
    for env_id, (method, horizon) in METHODS.items():
        if env_id not in gym.registry:
            _register(env_id, horizon, {"method": method})
    for name, (env_id, _) in TASKS.items():
        if env_id not in gym.registry:
            _register_task(name, env_id)


def register_method(env_id: str, method: str, *, max_episode_steps: int = HORIZON) -> None:
    """Register an id for learned environments of a user's method.

    Args:
        env_id: The new id, e.g. `"MyModel-v0"`.
        method: Import path of the method's class, e.g. `"my_package.my_method:MyMethod"`; a subclass of
            `offline_envs.methods.Method`. It is imported when the first environment is made.
        max_episode_steps: Default horizon, −1 for no limit.

    Raises:
        SettingsError: The id is taken by another environment.
    """
    if METHODS.get(env_id) == (method, max_episode_steps):
        return  # a module may be imported twice
    if env_id in gym.registry:
        raise _taken(env_id)
    METHODS[env_id] = (method, max_episode_steps)
    _register(env_id, _limit(max_episode_steps), {"method": method})


def register(new_id: str, /, base: str, *, max_episode_steps: int | None = None, **settings: Any) -> None:
    """Give a learned environment and its settings an id of their own, for programs that take only an id.

    A program that does not import this package reaches it as `"offline_envs:<id>"` if the id is declared in a
    file, see `offline_envs.declared`, or else by the module that calls this function: `"my_package:<id>"`.

    Args:
        new_id: The new id, e.g. `"MyHopper-v0"`.
        base: Id of a learned environment, e.g. `"PenalizedModel-v0"`.
        max_episode_steps: Default horizon, −1 for no limit; that of the base if None.
        **settings: What `gym.make(base, ...)` takes, `dataset` first of all. `gym.make(new_id, ...)` may
            replace each of them. They are checked when an environment is made.

    Raises:
        SettingsError: The base is no learned environment, or the id is taken by another one.

    Example:
        >>> import gymnasium as gym, offline_envs
        >>> demo = "offline-envs/inverteddoublependulum-replay-v0"
        >>> offline_envs.register("MyPendulum-v0", base="PenalizedModel-v0", dataset=demo, penalty_coef=0.5)
        >>> env = gym.make("MyPendulum-v0")
    """
    check_learned_id(base)
    spec = gym.spec(base)
    horizon = spec.max_episode_steps if max_episode_steps is None else _limit(max_episode_steps)
    kwargs = {**spec.kwargs, **settings}
    taken = gym.registry.get(new_id)
    if taken is not None:
        if is_learned_id(new_id) and taken.max_episode_steps == horizon and _same(taken.kwargs, kwargs):
            return  # a module may be imported twice
        raise _taken(new_id)
    _register(new_id, horizon, kwargs)


def is_learned_id(env_id: str) -> bool:
    """Whether an id is that of a learned environment: of this package, a user's method, or `register`."""
    spec = gym.registry.get(env_id)
    return spec is not None and spec.entry_point == LEARNED


def check_learned_id(env_id: str) -> None:
    """Refuse an id that is not that of a learned environment.

    Raises:
        SettingsError: Such an id.
    """
    if not is_learned_id(env_id):
        raise unknown_name("learned environment", env_id, filter(is_learned_id, gym.registry))


def _taken(env_id: str) -> SettingsError:
    return SettingsError(
        f"The environment id {env_id!r} is taken. Choose another, e.g. with a higher version."
    )


def _same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    try:
        return bool(one == other)
    except (ValueError, RuntimeError):  # arrays and tensors, which are equal element by element
        return False


def _limit(max_episode_steps: int) -> int | None:
    """The limit of a spec, which has None for none; −1 is for `gym.make` alone."""
    return None if max_episode_steps == -1 else max_episode_steps


def _register(env_id: str, horizon: int | None, kwargs: dict[str, Any]) -> None:
    gym.register(
        env_id,
        entry_point=LEARNED,
        vector_entry_point=LEARNED_VECTOR,
        max_episode_steps=horizon,
        kwargs=kwargs,
    )


def register_task(name: str, env_id: str, build: str) -> None:
    """Register a user's task: a reward on a known environment, and the real environment that yields it.

    Args:
        name: The new task's name, e.g. `"hopper-hop"`.
        env_id: The new id of its real environment, e.g. `"HopperHop-v0"`.
        build: Import path of the function that makes the `Task` from its settings, e.g.
            `"my_package.hopper_hop:hopper_hop"`. It is imported when the task is first used.

    Raises:
        SettingsError: The name or the id is taken.
    """
    if TASKS.get(name) == (env_id, build):
        return  # a module may be imported twice
    if name in TASKS or env_id in gym.registry:
        raise SettingsError(f"The task {name!r} or the environment id {env_id!r} is taken. Choose others.")
    TASKS[name] = (env_id, build)
    _register_task(name, env_id)


def _register_task(name: str, env_id: str) -> None:
    gym.register(env_id, entry_point=TASK_ENTRY_POINT, max_episode_steps=EPISODE_STEPS, kwargs={"task": name})


def split_task(text: str) -> tuple[str, dict[str, Any]]:
    """The name and the settings in the text of a task, e.g. `"ant-angle:degrees=45,survive_bonus=1"`.

    Numbers and booleans are read, `True` and `true` alike; any other value stays a string.

    Raises:
        SettingsError: A setting is given twice.
    """
    name, _, listed = text.partition(":")
    settings: dict[str, Any] = {}
    for part in filter(None, listed.split(",")):
        setting, _, value = (piece.strip() for piece in part.partition("="))
        if setting in settings:
            raise SettingsError(f"Duplicate task setting {setting!r} in {listed!r}.")
        try:
            settings[setting] = json.loads(value.lower())
        except json.JSONDecodeError:
            settings[setting] = value
    return name, settings
