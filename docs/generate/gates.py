"""Render the gates of the pipeline from its composed configuration."""

from docs.generate import composition
from docs.generate.text import table


def page() -> str:
    """Return the table of gates."""
    gates = composition.compose("promote").configuration["gates"]
    rows = []
    for name, gate in gates.items():
        bounds = [f"≥ {gate['min']:g}"] if gate.get("min") is not None else []
        bounds += [f"≤ {gate['max']:g}"] if gate.get("max") is not None else []
        rows.append((f"`{name}`", f"`{gate['metric']}`", " and ".join(bounds)))
    return table(("gate", "metric", "bound"), rows)
