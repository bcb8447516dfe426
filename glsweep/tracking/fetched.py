"""A member out of MLflow's model registry, by its address."""

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import mlflow.artifacts

from glsweep.errors import StudyError
from glsweep.tracking.address import sqlite_path
from glsweep.tracking.away import reached
from glsweep.tracking.registry import MEMBER_FOLDER
from glsweep.tracking.sqlite_file import readable

ADDRESS = re.compile(r"models:/[^/@]+(@[^/@]+|/[0-9]+)")


@contextmanager
def fetched_member(address: str) -> Iterator[Path]:
    """Yield a temporary copy of the folder of a registered member.

    Parameters
    ----------
    address : str
        `models:/NAME@ALIAS` or `models:/NAME/VERSION`, looked for where `MLFLOW_TRACKING_URI` says.

    Raises
    ------
    StudyError
        When the address is none, the variable is not set, or there is no such member.
    """
    if not ADDRESS.fullmatch(address):
        raise StudyError(
            f"{address}: is no registered model's address; write models:/NAME@ALIAS or models:/NAME/VERSION"
        )
    uri = os.environ.get("MLFLOW_TRACKING_URI")
    if not uri:
        raise StudyError(
            f"{address}: MLFLOW_TRACKING_URI is not set; set it to the store, such as "
            "sqlite:////path/to/study/mlflow.db, or name the member's folder"
        )
    path = sqlite_path(uri)
    with tempfile.TemporaryDirectory() as temporary:
        with reached(uri), nullcontext(uri) if path is None else readable(path) as store:
            fetched = mlflow.artifacts.download_artifacts(
                artifact_uri=address,
                dst_path=temporary,
                tracking_uri=store,
                registry_uri=os.environ.get("MLFLOW_REGISTRY_URI") or store,
            )
        folder = Path(fetched) / "artifacts" / MEMBER_FOLDER
        if not folder.is_dir():
            raise StudyError(f"{address}: is no member of glsweep; name one that a study has registered")
        yield folder
