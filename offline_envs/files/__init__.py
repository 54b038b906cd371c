"""Atomic writes of files and folders, locks between processes, and cached results."""

from offline_envs.files.cache import cached, say
from offline_envs.files.identity import differences, key_of
from offline_envs.files.locks import locked
from offline_envs.files.tensors import read_tensors, tensor_bytes, write_tensors
from offline_envs.files.writing import (
    clear_leftovers,
    copy_folder,
    new_file,
    new_folder,
    put_back,
    write_bytes,
    write_text,
)

__all__ = [
    "cached",
    "clear_leftovers",
    "copy_folder",
    "differences",
    "key_of",
    "locked",
    "new_file",
    "new_folder",
    "put_back",
    "read_tensors",
    "say",
    "tensor_bytes",
    "write_bytes",
    "write_tensors",
    "write_text",
]
