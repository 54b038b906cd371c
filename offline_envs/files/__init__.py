"""What is written to disk: atomically, with checksums, under locks; and results that are computed once."""

from offline_envs.files.arrays import read_arrays
from offline_envs.files.cache import cached, lock_of, say, unfinished
from offline_envs.files.identity import check_identity, differences, json_checksum, key_of, plain
from offline_envs.files.json_files import read_json, read_plain_json, write_json
from offline_envs.files.leftovers import (
    clear_file_parts,
    clear_leftovers,
    delete,
    put_back,
    target_of,
)
from offline_envs.files.locks import holder, locked, locked_if_free
from offline_envs.files.seals import seal, verify
from offline_envs.files.storage import check_writable, moved_by, storage_errors, sync, sync_below
from offline_envs.files.tensors import read_tensors, tensor_bytes, write_tensors
from offline_envs.files.writing import copy_folder, new_file, new_folder, write_bytes, write_text

__all__ = [
    "cached",
    "check_identity",
    "check_writable",
    "clear_file_parts",
    "clear_leftovers",
    "copy_folder",
    "delete",
    "differences",
    "holder",
    "json_checksum",
    "key_of",
    "lock_of",
    "locked",
    "locked_if_free",
    "moved_by",
    "new_file",
    "new_folder",
    "plain",
    "put_back",
    "read_arrays",
    "read_json",
    "read_plain_json",
    "read_tensors",
    "say",
    "seal",
    "storage_errors",
    "sync",
    "sync_below",
    "target_of",
    "tensor_bytes",
    "unfinished",
    "verify",
    "write_bytes",
    "write_json",
    "write_tensors",
    "write_text",
]
