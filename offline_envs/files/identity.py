"""What a file was made from, so that it is not taken for the result of something else."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def key_of(identity: Mapping[str, Any]) -> str:
    """A short name for JSON values: equal values, equal names; 32 hexadecimal digits."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:32]


def differences(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    """Names of `ours` whose values are others, or missing, in `theirs`."""
    return [name for name, value in ours.items() if theirs.get(name) != value]
