"""The model registry: versions, their tags, and who is champion."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from mlflow import MlflowClient

CHAMPION = "champion"
CONTENT = "content_sha256"
"""Version tag with the identity of student and firmware together."""


class Registration(NamedTuple):
    """Where a candidate stands in the registry."""

    name: str
    version: str
    champion: bool


def register(
    client: "MlflowClient",
    name: str,
    model_id: str,
    run_id: str,
    content_sha256: str,
    tags: Mapping[str, str],
    passed: bool,
) -> Registration:
    """Registers a candidate, and makes it champion only if it passed.

    The same content is the same version however often it is promoted; a champion that no longer
    passes loses the alias. The alias moves last, so a process that dies on the way leaves the
    champion that was.

    Args:
        client: the connected client.
        name: of the registered model; created if it is new.
        model_id: the logged model.
        run_id: the promotion's run.
        content_sha256: identity of the candidate.
        tags: the verdict, gate by gate.
        passed: whether every gate passed.
    """
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(
            name, description="Trigger networks with their firmware; champion passed every gate."
        )
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    known = client.search_model_versions(f"name = '{name}' and tags.{CONTENT} = '{content_sha256}'")
    if known:
        version = str(known[0].version)
    else:
        created = client.create_model_version(
            name,
            source=f"models:/{model_id}",
            run_id=run_id,
            model_id=model_id,
            tags={CONTENT: content_sha256},
        )
        version = str(created.version)
    for key, value in tags.items():
        client.set_model_version_tag(name, version, key, value)
    if passed:
        client.set_registered_model_alias(name, CHAMPION, version)
    elif client.get_registered_model(name).aliases.get(CHAMPION) == version:
        client.delete_registered_model_alias(name, CHAMPION)
    return Registration(name, version, passed)
