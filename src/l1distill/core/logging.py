"""Silence the warnings and log messages of libraries."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def silence_library(logger_name: str) -> Iterator[None]:
    """Suppress Python warnings, and messages of a logger below the level ERROR.

    Args:
        logger_name: the library's logger ("tensorflow").
    """
    logger = logging.getLogger(logger_name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
