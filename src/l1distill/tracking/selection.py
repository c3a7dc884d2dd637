"""Select the tracking store, with its account and the settings of MLflow's client."""

import os
from urllib.parse import unquote, urlsplit

from l1distill.tracking.settings import TrackingSettings

USERNAME, PASSWORD = "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"
"""Environment variables by which MLflow's client knows its account."""
DIRECT_DOWNLOAD = "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD"
"""Environment variable by which it fetches artifacts from the S3 store behind a server."""


def select_store(settings: TrackingSettings) -> str:
    """Tell MLflow the store of the settings, and return the one that it then uses.

    An account in the address of a server is taken out of it: MLflow prints and logs addresses.
    """
    import mlflow

    # MLflow stores a .tar.gz as encoded with gzip, and requests unpacks such an answer of S3: the
    # bundle would arrive as another file. Through the server it arrives as it is.
    os.environ.setdefault(DIRECT_DOWNLOAD, "false")
    if settings.uri is not None:
        mlflow.set_tracking_uri(settings.uri)
    uri = str(mlflow.get_tracking_uri())
    parts = urlsplit(uri)
    if parts.scheme in ("http", "https") and "@" in parts.netloc:
        account, _, host = parts.netloc.rpartition("@")
        username, _, password = account.partition(":")
        os.environ[USERNAME], os.environ[PASSWORD] = unquote(username), unquote(password)
        uri = parts._replace(netloc=host).geturl()
        mlflow.set_tracking_uri(uri)
    return uri
