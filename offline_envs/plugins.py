"""Import other packages that register methods, measures, policies or tasks, for the command line."""

import importlib
import warnings
from collections.abc import Iterable
from importlib.metadata import entry_points

from offline_envs.errors import SettingsError

__all__ = ["PLUGIN_GROUP", "import_plugins", "load_installed_plugins", "load_plugins"]

PLUGIN_GROUP = "offline_envs"
"""Group of entry points by which an installed package names a module that registers what it adds."""


def load_plugins(modules: Iterable[str]) -> None:
    """Load the plugins of installed packages, then import modules by name.

    Raises:
        SettingsError: A module cannot be imported.
    """
    load_installed_plugins()
    import_plugins(modules)


def load_installed_plugins() -> None:
    """Import the modules that installed packages name in the group `PLUGIN_GROUP`.

    Warns:
        UserWarning: A plugin cannot be imported; the others are.
    """
    for plugin in entry_points(group=PLUGIN_GROUP):
        try:
            plugin.load()
        except Exception as error:  # a module of someone else's may raise anything
            package = plugin.dist.name if plugin.dist else "an unknown package"
            warnings.warn(
                f"The plugin {plugin.value!r} of {package} could not be imported: {error!r}. "
                "Names that it registers are unknown. Repair or uninstall it.",
                stacklevel=2,
            )


def import_plugins(modules: Iterable[str]) -> None:
    """Import modules by name, which register what they add.

    Raises:
        SettingsError: A module cannot be imported.
    """
    for module in modules:
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise SettingsError(
                f"--import takes importable modules, got {module!r}: {error}. Install the package that holds "
                "it, or put its folder on PYTHONPATH."
            ) from error
