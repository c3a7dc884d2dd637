"""The shipped configuration, for tests that hold it against the code."""

from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

ROOT = Path(__file__).parents[1]


def conf(name: str) -> dict[str, Any]:
    """Returns one file of conf/, as it stands, without its defaults list."""
    plain = OmegaConf.to_container(OmegaConf.load(ROOT / "conf" / f"{name}.yaml"))
    assert isinstance(plain, dict)
    plain.pop("defaults", None)
    return {str(key): value for key, value in plain.items()}
