"""What `gym.make` and `gym.make_vec` call for each registered id."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Unpack, cast

from gymnasium.vector import AutoresetMode, VectorEnv

from offline_envs.data import DatasetSource
from offline_envs.envs.adversarial_env import AdversarialEnv, AdversarialVectorEnv
from offline_envs.envs.assembly import ModelOptions, Parts, PenaltyOptions, assemble
from offline_envs.envs.autoreset import with_autoreset
from offline_envs.envs.learned_env import LearnedEnv
from offline_envs.envs.learned_vector_env import LearnedVectorEnv
from offline_envs.errors import SettingsError, SettingsTypeError, unknown_name
from offline_envs.methods.halt import KAPPA, HaltSettings

IGNORED = ("disable_env_checker", "order_enforce", "render_mode")
"""Settings of `gym.make` that `gym.make_vec` hands on to a vector environment, where they mean nothing."""


WHOLE_EPISODES = ModelOptions(member="episode", start="initial")
"""Defaults of an environment whose episodes are those of the real one, not branches of them."""


def learned_env(dataset: DatasetSource, **options: Unpack[ModelOptions]) -> LearnedEnv:
    """Make `LearnedModel-v0`, the model MDP without pessimism.

    Args:
        dataset: A Minari id, a file, arrays, `Transitions`, or a list of them.
        **options: See `ModelOptions`.
    """
    return LearnedEnv(assemble(dataset, **_single(options)))


def penalized_env(
    dataset: DatasetSource,
    *,
    penalty_coef: float = 1.0,
    penalty: str = "max_std",
    penalty_members: str = "all",
    **options: Unpack[ModelOptions],
) -> LearnedEnv:
    """Make `PenalizedModel-v0`, MOPO's uncertainty-penalised MDP.

    Args:
        dataset: A Minari id, a file, arrays, `Transitions`, or a list of them.
        penalty_coef: λ, see `PenaltyOptions`.
        penalty: Name of the uncertainty measure.
        penalty_members: `"all"` or `"elites"`.
        **options: See `ModelOptions`.
    """
    chosen = PenaltyOptions(penalty_coef=penalty_coef, penalty=penalty, penalty_members=penalty_members)
    return LearnedEnv(assemble(dataset, penalty=chosen, **_single(options, chosen)))


def adversarial_env(dataset: DatasetSource, **options: Unpack[ModelOptions]) -> AdversarialEnv:
    """Make `AdversarialModel-v0`, RAMBO's MDP: the model alone, on a copy that an adversary may change.

    Args:
        dataset: A Minari id, a file, arrays, `Transitions`, or a list of them.
        **options: See `ModelOptions`.
    """
    return AdversarialEnv(assemble(dataset, **_single(options)))


def learned_vector_env(num_envs: int, dataset: DatasetSource, **options: Any) -> VectorEnv[Any, Any, Any]:
    """Make `LearnedModel-v0` for many episodes at once.

    Args:
        num_envs: Number of episodes.
        dataset: A Minari id, a file, arrays, `Transitions`, or a list of them.
        **options: See `ModelOptions`, and the settings of `LearnedVectorEnv`.
    """
    return _vector(num_envs, dataset, **options)


def penalized_vector_env(
    num_envs: int,
    dataset: DatasetSource,
    *,
    penalty_coef: float = 1.0,
    penalty: str = "max_std",
    penalty_members: str = "all",
    **options: Any,
) -> VectorEnv[Any, Any, Any]:
    """Make `PenalizedModel-v0` for many episodes at once.

    Args:
        num_envs: Number of episodes.
        dataset: A Minari id, a file, arrays, `Transitions`, or a list of them.
        penalty_coef: λ, see `PenaltyOptions`.
        penalty: Name of the uncertainty measure.
        penalty_members: `"all"` or `"elites"`.
        **options: See `ModelOptions`, and the settings of `LearnedVectorEnv`.
    """
    chosen = PenaltyOptions(penalty_coef=penalty_coef, penalty=penalty, penalty_members=penalty_members)
    return _vector(num_envs, dataset, LearnedVectorEnv, chosen, **options)


def pessimistic_env(
    dataset: DatasetSource,
    *,
    threshold: Mapping[str, float] | None = None,
    units: str = "std",
    halt_members: str = "all",
    kappa: float = KAPPA,
    absorbing: bool = False,
    gamma: float = 0.99,
    **options: Unpack[ModelOptions],
) -> LearnedEnv:
    """Make `PessimisticModel-v0`, MOReL's pessimistic MDP.

    Episodes follow one elite each (`member="episode"`), start where those of the dataset do
    (`start="initial"`), and end where the members disagree too much.

    Args:
        dataset: A Minari id, a file, arrays, `Transitions`, or a list of them.
        threshold: One rule with its value, see `HaltSettings`; None means mean + `BETA`·std.
        units: Units of the disagreement, `"std"` or `"raw"`.
        halt_members: Whose predictions are compared, `"all"` or `"elites"`.
        kappa: How far below the dataset's lowest reward a halt pays.
        absorbing: Whether a halt pays that reward for ever, as one discounted sum.
        gamma: The agent's discount, used if `absorbing`.
        **options: See `ModelOptions`.
    """
    halt = HaltSettings(threshold, units, halt_members, kappa, absorbing, gamma)
    chosen = _single({**WHOLE_EPISODES, **options}, vars(halt))
    return LearnedEnv(assemble(dataset, halt=halt, **chosen))


def pessimistic_vector_env(
    num_envs: int,
    dataset: DatasetSource,
    *,
    threshold: Mapping[str, float] | None = None,
    units: str = "std",
    halt_members: str = "all",
    kappa: float = KAPPA,
    absorbing: bool = False,
    gamma: float = 0.99,
    **options: Any,
) -> VectorEnv[Any, Any, Any]:
    """Make `PessimisticModel-v0` for many episodes at once.

    Args:
        num_envs: Number of episodes.
        dataset: A Minari id, a file, arrays, `Transitions`, or a list of them.
        threshold: One rule with its value, see `HaltSettings`; None means mean + `BETA`·std.
        units: Units of the disagreement, `"std"` or `"raw"`.
        halt_members: Whose predictions are compared, `"all"` or `"elites"`.
        kappa: How far below the dataset's lowest reward a halt pays.
        absorbing: Whether a halt pays that reward for ever, as one discounted sum.
        gamma: The agent's discount, used if `absorbing`.
        **options: See `ModelOptions`, and the settings of `LearnedVectorEnv`.
    """
    halt = HaltSettings(threshold, units, halt_members, kappa, absorbing, gamma)
    return _vector(num_envs, dataset, LearnedVectorEnv, None, halt, **{**WHOLE_EPISODES, **options})


def adversarial_vector_env(num_envs: int, dataset: DatasetSource, **options: Any) -> VectorEnv[Any, Any, Any]:
    """Make `AdversarialModel-v0` for many episodes at once; all share one copy of the model.

    Args:
        num_envs: Number of episodes.
        dataset: A Minari id, a file, arrays, `Transitions`, or a list of them.
        **options: See `ModelOptions`, and the settings of `LearnedVectorEnv`.
    """
    return _vector(num_envs, dataset, AdversarialVectorEnv, **options)


def _vector(
    num_envs: int,
    dataset: DatasetSource,
    env_class: type[LearnedVectorEnv] = LearnedVectorEnv,
    penalty: PenaltyOptions | None = None,
    halt: HaltSettings | None = None,
    /,
    *,
    autoreset_mode: AutoresetMode | str = AutoresetMode.SAME_STEP,
    max_episode_steps: int | None = None,
    output: str = "numpy",
    step_infos: bool = False,
    capture: bool = True,
    **options: Any,
) -> VectorEnv[Any, Any, Any]:
    own = {**(penalty or {}), **(vars(halt) if halt else {})}
    parts: Parts = assemble(dataset, penalty=penalty, halt=halt, **_known(options, own))
    env = env_class(
        num_envs,
        parts,
        max_episode_steps=max_episode_steps,
        output=output,
        step_infos=step_infos,
        capture=capture,
    )
    return with_autoreset(env, autoreset_mode)


def _single(options: ModelOptions, own: Mapping[str, Any] = MappingProxyType({})) -> ModelOptions:
    """Refuse settings that only `gym.make_vec` takes, and drop those that mean nothing here."""
    for name in ("autoreset_mode", "output", "step_infos", "capture", "num_envs"):
        if name in options:
            raise SettingsError(f"{name}= is a setting of gym.make_vec(...), not of gym.make(...).")
    return _known(options, own)


def _known(options: Mapping[str, Any], own: Mapping[str, Any]) -> ModelOptions:
    """The settings of `ModelOptions`, without those that mean nothing here.

    Args:
        options: Settings by name.
        own: Names of the environment's own settings, for the message.

    Raises:
        SettingsTypeError: A name that is no setting.
    """
    for name in options:
        if name not in (*ModelOptions.__annotations__, *IGNORED):
            raise SettingsTypeError(
                str(unknown_name("setting", name, {**own, **ModelOptions.__annotations__}))
            )
    return cast(ModelOptions, {k: v for k, v in options.items() if k not in IGNORED})
