"""The one exception that means "what you gave us cannot be used"."""


class InputError(Exception):
    """Bad configuration or input: one line that names the key or file and the way out.

    The command line prints the message without a traceback and exits with status 2. Raise it
    before any output is touched. Anything else that escapes a stage is a defect of ours and
    keeps its traceback.
    """
