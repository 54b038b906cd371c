"""`PRESETS`: every preset by name."""

from offline_envs.registry import Registry
from offline_envs.runs.presets.combo import combo
from offline_envs.runs.presets.mbpo import mbpo
from offline_envs.runs.presets.measured import mopo_own, mopo_trpo, rambo_trpo
from offline_envs.runs.presets.mobile import mobile
from offline_envs.runs.presets.mopo import mopo, mopo_tasks
from offline_envs.runs.presets.morec import morec
from offline_envs.runs.presets.morec_mobile import morec_mobile
from offline_envs.runs.presets.morel import morel
from offline_envs.runs.presets.neubay import neubay
from offline_envs.runs.presets.preset import Preset
from offline_envs.runs.presets.rambo import rambo
from offline_envs.runs.presets.ravl import ravl

PRESETS: Registry[Preset] = Registry(
    "preset",
    {
        preset.name: preset
        for presets in (
            mopo(),
            mopo_tasks(),
            mopo_trpo(),
            mopo_own(),
            mbpo(),
            rambo(),
            rambo_trpo(),
            morel(),
            morec(),
            morec_mobile(),
            combo(),
            mobile(),
            ravl(),
            neubay(),
        )
        for preset in presets
    },
)
"""Every preset by name."""


def preset(name: str) -> Preset:
    """The preset of that name.

    Raises:
        SettingsError: An unknown name; the message lists the valid ones.
    """
    return PRESETS.find(name)
