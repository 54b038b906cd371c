"""Load any dataset as `Transitions`: Minari, D4RL files, arrays, tables, or several concatenated."""

from offline_envs.data.array_source import transitions_from_arrays
from offline_envs.data.concatenation import concatenate
from offline_envs.data.contents import CONTENTS, contents_entry
from offline_envs.data.environments.named import known_environment, named_environment
from offline_envs.data.health import Finding, data_health
from offline_envs.data.history.layout import HistoryLayout, check_history
from offline_envs.data.history.stacking import with_history
from offline_envs.data.history.wrapper import HistoryObservation, after_step, history_spaces, without_past
from offline_envs.data.loading import DatasetSource, load_transitions
from offline_envs.data.minari_ids import EMBEDDED_ROOT, MINARI_ROOT_VARIABLE, embedded_ids, minari_root
from offline_envs.data.minari_source import episodes_checksum
from offline_envs.data.sources import SOURCES, Source
from offline_envs.data.spaces.agent_spaces import AgentSpaces
from offline_envs.data.spaces.columns import n_columns, to_columns
from offline_envs.data.spaces.discrete import (
    DiscreteSpace,
    action_shape,
    are_in,
    check_continuous,
    from_one_hot,
    one_hot,
    one_hot_box,
)
from offline_envs.data.spaces.flattening import FlatObservation, with_flat_obs
from offline_envs.data.spaces.observations import (
    ObsSpace,
    as_float32,
    flat_space,
    flatten_obs,
    nested_obs,
    obs_bounds,
)
from offline_envs.data.stored.d3rlpy import d3rlpy_arrays
from offline_envs.data.tables.columns import Columns, ColumnsChoice, read_columns
from offline_envs.data.tables.names import ACTION_NAMES, OBS_NAMES, action_names, obs_names, output_names
from offline_envs.data.tables.opening import NamedTable, with_columns
from offline_envs.data.tables.steps import transitions_from_table
from offline_envs.data.tables.table import Table
from offline_envs.data.transitions import Transitions
from offline_envs.data.validation import check_finite

__all__ = [
    "ACTION_NAMES",
    "CONTENTS",
    "EMBEDDED_ROOT",
    "MINARI_ROOT_VARIABLE",
    "OBS_NAMES",
    "SOURCES",
    "AgentSpaces",
    "Columns",
    "ColumnsChoice",
    "DatasetSource",
    "DiscreteSpace",
    "Finding",
    "FlatObservation",
    "HistoryLayout",
    "HistoryObservation",
    "NamedTable",
    "ObsSpace",
    "Source",
    "Table",
    "Transitions",
    "action_names",
    "action_shape",
    "after_step",
    "are_in",
    "as_float32",
    "check_continuous",
    "check_finite",
    "check_history",
    "concatenate",
    "contents_entry",
    "d3rlpy_arrays",
    "data_health",
    "embedded_ids",
    "episodes_checksum",
    "flat_space",
    "flatten_obs",
    "from_one_hot",
    "history_spaces",
    "known_environment",
    "load_transitions",
    "minari_root",
    "n_columns",
    "named_environment",
    "nested_obs",
    "obs_bounds",
    "obs_names",
    "one_hot",
    "one_hot_box",
    "output_names",
    "read_columns",
    "to_columns",
    "transitions_from_arrays",
    "transitions_from_table",
    "with_columns",
    "with_flat_obs",
    "with_history",
    "without_past",
]
