"""Names of flat metrics, ``<quantity>/<sample>`` or ``<quantity>``."""


def with_suffix(name: str, suffix: str) -> str:
    """Return the name of what belongs to a metric, as its error: the quantity has the suffix.

    Args:
        name: of the metric.
        suffix: ``_error``, ``_low``, ``_high``; empty for the metric itself.
    """
    quantity, slash, rest = name.partition("/")
    return f"{quantity}{suffix}{slash}{rest}"
