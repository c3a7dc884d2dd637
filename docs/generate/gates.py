"""Render the gates of the pipeline from its composed configuration."""

from docs.generate import composition
from docs.generate.text import table
from l1distill.registry.gates import Gate


def page() -> str:
    """Return the tables of gates, one for each profile; that of the pipeline comes first."""
    chosen = str(composition.compose("promote").choices["gates"])
    others = sorted({path.stem for path in (composition.CONF / "gates").glob("*.yaml")} - {chosen})
    parts = [_profile(chosen)]
    for name in others:
        parts += [f"### `gates={name}`\n", _profile(name)]
    return "\n".join(parts)


def _profile(name: str) -> str:
    gates = composition.compose("promote", (f"gates={name}",)).configuration["gates"]
    rows = []
    for gate, content in gates.items():
        settings = Gate.model_validate(content)
        metrics = [settings.metric, *([settings.instead] if settings.instead else [])]
        words = " or ".join(f"`{metric}`" for metric in metrics)
        rows.append((f"`{gate}`", words, settings.threshold, _asked(settings)))
    return table(("gate", "metric", "bound", "and"), rows)


def _asked(gate: Gate) -> str:
    """Return what a gate asks for beside its bound."""
    asked = ["measured"] if gate.provenance == "measured" else []
    if gate.vectors is not None:
        asked.append(f"on at least {gate.vectors:,} events")
    if gate.sigmas is not None:
        asked.append(f"by {gate.sigmas:g} standard error{'' if gate.sigmas == 1 else 's'}")
    if gate.max_width is not None:
        asked.append(f"known to {gate.max_width / 2:g}")
    return ", ".join(asked)
