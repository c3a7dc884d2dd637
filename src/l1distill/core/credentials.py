"""Hide passwords in what is printed and logged: those in the URIs of stores and servers."""

import re

_IN_URI = re.compile(
    r"(?<=://)(?:(?P<user>[^\s/:@]*):(?:[^\s/]*|[^\s@]*)|[^\s/:@]+)@", flags=re.ASCII
)
"""``user:password@``, the password with ``@`` or ``/`` as requests and SQLAlchemy take it, or a
token alone."""
_PARAMETER = re.compile(r"(?<=[?&])(?P<key>\w*(?:password|token|secret)\w*)=[^&\s]+", re.IGNORECASE)


def hide_credentials(text: str) -> str:
    """Return a text with the passwords in its URIs replaced by ``***``."""
    hidden = _IN_URI.sub(lambda found: f"{found['user']}:***@" if found["user"] else "***@", text)
    return _PARAMETER.sub(r"\g<key>=***", hidden)
