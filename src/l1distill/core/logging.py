"""Silence the warnings and log messages of libraries."""

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


def quiet_libraries() -> None:
    """Keep the messages of TensorFlow and MLflow below ERROR out of the terminal, for good.

    Every process that runs stages calls it before it imports them: the command line, and the
    workers that jobs of a sweep go to.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)


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
