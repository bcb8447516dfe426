"""MLflow's model registry: members registered as versions, and fetched by their address."""

import os
import re
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib.metadata import version
from pathlib import Path

import mlflow
import mlflow.artifacts
import numpy as np
import numpy.typing as npt
from mlflow.models import Model, ModelSignature
from mlflow.types import Schema, TensorSpec

from glsweep import __version__
from glsweep.errors import StudyError
from glsweep.nets.member import CARD, WEIGHTS
from glsweep.tracking.address import Tags, as_tags, errors_of_store, sqlite_path
from glsweep.tracking.sqlite_file import readable_store
from glsweep.tracking.store import Store

CHAMPION = "champion"
CONTENT_TAG = "glsweep.content"
MEMBER_FOLDER = "member"  # also named in served_member.py, which is stored with each model
SERVED_MEMBER = Path(__file__).with_name("served_member.py")
REQUIREMENTS = ("mlflow", "numpy", "safetensors", "torch")


class ModelRegistry:
    """The versions of one registered model."""

    def __init__(self, store: Store, model: str) -> None:
        self.model = model
        self._store = store
        self._client = store.client

    def find(self, content: str) -> str | None:
        """Return the version that holds a member with this content, or None."""
        query, token = f"name = '{self.model}'", None
        while token != "":
            page = self._store.call(self._client.search_model_versions, query, page_token=token)
            for found in page:
                if found.tags.get(CONTENT_TAG) == content:
                    return str(found.version)
            token = page.token or ""
        return None

    def add(
        self,
        folder: Path,
        *,
        content: str,
        example: npt.NDArray[np.float32],
        run_id: str,
        tags: Tags,
    ) -> str:
        """Register a member and return its version.

        Parameters
        ----------
        folder : Path
            Holds `model.safetensors` and `card.json`.
        content : str
            A hash by which the version is found again.
        example : float32 array (2 or more, 2, H, W)
            Input that is kept with the model.
        run_id : str
            The member's run.
        tags : Mapping
            A name without a dot goes under `glsweep.`.
        """
        with _as_default(self._store.uri):
            return self._add(folder, content, example, run_id, tags)

    def _add(
        self,
        folder: Path,
        content: str,
        example: npt.NDArray[np.float32],
        run_id: str,
        tags: Tags,
    ) -> str:
        self._make_model()
        logged = self._store.call(
            self._client.create_logged_model,
            self._store.experiment_id,
            name=self.model,
            source_run_id=run_id,
            model_type="glsweep member",
        )
        with tempfile.TemporaryDirectory() as temporary:
            saved, member = Path(temporary) / "model", Path(temporary) / MEMBER_FOLDER
            member.mkdir()
            for name in (WEIGHTS, CARD):
                shutil.copy(folder / name, member)
            with errors_of_store(self._store.uri):
                _save(saved, member, example, Model(run_id=run_id, model_id=logged.model_id))
            self._store.call(self._client.log_model_artifacts, logged.model_id, str(saved))
        self._store.call(self._client.finalize_logged_model, logged.model_id, "READY")
        created = self._store.call(
            self._client.create_model_version,
            self.model,
            source=f"models:/{logged.model_id}",
            run_id=run_id,
            model_id=logged.model_id,
            tags=as_tags({**tags, CONTENT_TAG: content}),
        )
        return str(created.version)

    def champion(self) -> str | None:
        """Return the champion's version, or None."""
        found = self._store.call(self._client.get_registered_model, self.model)
        number = found.aliases.get(CHAMPION)
        return None if number is None else str(number)

    def make_champion(self, number: str) -> None:
        """Give a version the alias `champion`."""
        self._store.call(self._client.set_registered_model_alias, self.model, CHAMPION, number)

    def add_tags(self, number: str, tags: Tags) -> None:
        """Add tags to a version."""
        for name, text in as_tags(tags).items():
            self._store.call(self._client.set_model_version_tag, self.model, number, name, text)

    @contextmanager
    def downloaded_member(self, number: str) -> Iterator[Path]:
        """Yield a temporary copy of the folder of a version's member."""
        with tempfile.TemporaryDirectory() as temporary:
            address = f"models:/{self.model}/{number}"
            yield self._store.call(_download, address, temporary, self._store.uri, self._store.registry_uri)

    def _make_model(self) -> None:
        found = self._store.call(self._client.search_registered_models, f"name = '{self.model}'")
        if not found:
            self._store.call(self._client.create_registered_model, self.model)


def _download(address: str, target: str, uri: str, registry_uri: str) -> Path:
    """Copy a registered model below a folder, and return its member's."""
    with _as_default(uri):
        path = mlflow.artifacts.download_artifacts(
            artifact_uri=address, dst_path=target, tracking_uri=uri, registry_uri=registry_uri
        )
    return Path(path) / "artifacts" / MEMBER_FOLDER


@contextmanager
def _as_default(uri: str) -> Iterator[None]:
    """Let MLflow resolve `models:/...` in this store, which it does not even when it is told the store.

    Otherwise it would look in the working folder, and create a store there.
    """
    before = os.environ.get("MLFLOW_TRACKING_URI")
    mlflow.set_tracking_uri(uri)
    try:
        yield
    finally:
        mlflow.set_tracking_uri(before)


def _save(target: Path, member: Path, example: npt.NDArray[np.float32], model: Model) -> None:
    """Write an MLflow model that is code and data, with nothing pickled."""
    with warnings.catch_warnings():
        # mlflow 3.17 warns of its own type hints when this is first imported.
        warnings.filterwarnings("ignore", message=".*Any type hint is inferred as AnyType")
        from mlflow.pyfunc import save_model  # noqa: PLC0415

    spec = np.dtype(np.float32)
    # Unnamed, so that arrays of any batch and patch size are taken as they are.
    signature = ModelSignature(
        inputs=Schema([TensorSpec(spec, (-1, 2, -1, -1))]), outputs=Schema([TensorSpec(spec, (-1, -1, -1))])
    )
    save_model(
        str(target),
        python_model=str(SERVED_MEMBER),
        artifacts={MEMBER_FOLDER: str(member)},
        mlflow_model=model,
        signature=signature,
        input_example=example,
        pip_requirements=[
            f"glsweep=={__version__}",
            *(f"{name}=={version(name).partition('+')[0]}" for name in REQUIREMENTS),
        ],
    )


# --- Fetching a member by its address

ADDRESS = re.compile(r"models:/[^/@]+(@[^/@]+|/[0-9]+)")


@contextmanager
def fetched_member(address: str) -> Iterator[Path]:
    """Yield a temporary copy of the folder of a registered member.

    Parameters
    ----------
    address : str
        `models:/NAME@ALIAS` or `models:/NAME/VERSION`, looked up at `MLFLOW_TRACKING_URI`.

    Raises
    ------
    StudyError
        When it is not an address, the variable is not set, or there is no such member.
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
        with errors_of_store(uri), nullcontext(uri) if path is None else readable_store(path) as store:
            folder = _download(address, temporary, store, os.environ.get("MLFLOW_REGISTRY_URI") or store)
        if not folder.is_dir():
            raise StudyError(f"{address}: is no member of glsweep; name one that a study has registered")
        yield folder
