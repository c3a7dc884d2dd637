"""Register model versions with their tags, and move the alias ``champion``."""

from collections.abc import Mapping
from contextlib import redirect_stderr
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow import MlflowClient

CHAMPION = "champion"
CONTENT = "content_sha256"
"""Version tag with the identity of student and firmware together."""


@dataclass(frozen=True, kw_only=True)
class Registration:
    """A registered version of a model.

    Attributes:
        name: of the registered model.
        version: its number.
        champion: whether it has the alias ``champion``.
    """

    name: str
    version: str
    champion: bool


def register(
    client: "MlflowClient",
    name: str,
    model_id: str,
    content_sha256: str,
    tags: Mapping[str, str],
    passed: bool,
) -> Registration:
    """Register a candidate, and make it champion only if it passed.

    The same content is the same version however often it is promoted; a champion that no longer
    passes loses the alias. The alias moves last, so a process that dies on the way leaves the
    champion that was.

    Args:
        client: the connected client.
        name: of the registered model; created if it is new.
        model_id: the logged model.
        content_sha256: identity of the candidate.
        tags: the verdict, gate by gate.
        passed: whether every gate passed.
    """
    # A filter on a name that is not there yet finds nothing and is no error.
    known = client.search_model_versions(f"name = '{name}' and tags.{CONTENT} = '{content_sha256}'")
    version = str(known[0].version) if known else _new_version(name, model_id, content_sha256)
    for key, value in tags.items():
        client.set_model_version_tag(name, version, key, value)
    if passed:
        client.set_registered_model_alias(name, CHAMPION, version)
    elif str(client.get_registered_model(name).aliases.get(CHAMPION)) == version:
        client.delete_registered_model_alias(name, CHAMPION)
    return Registration(name=name, version=version, champion=passed)


def _new_version(name: str, model_id: str, content_sha256: str) -> str:
    import mlflow

    # MLflow prints two lines of its own between those of the stage.
    with redirect_stderr(StringIO()):
        created = mlflow.register_model(f"models:/{model_id}", name, tags={CONTENT: content_sha256})
    return str(created.version)
