"""Sizes that a file declares, compared with what it stores before memory is asked for."""

from offline_envs.errors import DatasetError

SMALL = 2**20
"""Bytes that an array may always take, whatever is stored of it."""

LARGEST_RATIO = 1100
"""Bytes for each stored byte of compressed data; deflate reaches 1032."""


def check_declared(what: str, size: int, stored: int, *, compressed: bool) -> None:
    """Refuse to make room for what cannot have been stored.

    Args:
        what: What declares its size, for the message.
        size: Bytes that it would take in memory.
        stored: Bytes that the file has of it.
        compressed: Whether these are compressed.

    Raises:
        DatasetError: The stored bytes cannot mean that many.
    """
    if size > max(SMALL, stored * (LARGEST_RATIO if compressed else 1)):
        raise DatasetError(
            f"{what} declares {size:,} bytes, of which {stored:,} are stored: the file is incomplete, or "
            "made to fill the memory."
        )
