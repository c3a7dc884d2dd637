"""The one exception that means "what you gave us cannot be used", and the words of others."""


class InputError(Exception):
    """Bad configuration or input: one line that names the key or file and the way out.

    The command line prints the message without a traceback and exits with status 2. Raise it
    before any output is touched. Anything else that escapes a stage is a defect of ours and
    keeps its traceback.
    """


def first_line(error: BaseException) -> str:
    """Returns what an exception says first, for a line of ours: its name where it says nothing."""
    text = str(error).strip()
    return text.splitlines()[0][:300] if text else type(error).__name__
