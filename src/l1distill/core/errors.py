"""Exceptions that the command line prints as one line, each saying whose error it is."""


class L1DistillError(Exception):
    """An error with a one-line message that names the key, file or tool and the way out.

    The command line prints the message without a traceback (``--debug`` or ``L1DISTILL_DEBUG=1``
    shows the chain) and exits with :attr:`exit_status`. Raise it before any output is touched.
    Anything else that escapes a stage is a defect of the platform and keeps its traceback.
    """

    exit_status = 1


class ConfigError(L1DistillError):
    """The configuration or the command line cannot be used: a wrong key, value or combination."""

    exit_status = 2


class DataError(L1DistillError):
    """An input cannot be used: a file, model, data set or output of an earlier stage."""

    exit_status = 2


class ToolError(L1DistillError):
    """A tool is missing, crashed, ran out of time or memory, or left no complete result."""


class ResourceError(L1DistillError):
    """The machine or a service has no more to give: disk, memory, workers, the tracking store."""


class NegativeVerdict(L1DistillError):
    """The work is done and logged, and its verdict is no: not promoted."""

    exit_status = 3


def first_line(error: BaseException) -> str:
    """Return the first line of an exception's message, or its class name if it has none."""
    text = str(error).strip()
    return text.splitlines()[0][:300] if text else type(error).__name__
