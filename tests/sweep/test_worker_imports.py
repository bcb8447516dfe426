"""What a worker of Ray loads to train a trial: nothing for scenes, pictures, searches or MLflow."""

import subprocess
import sys
from pathlib import Path

import pytest

# Each takes up to a second of the start of every worker, all of which start at once. pandas, pyarrow and rich
# are loaded by Ray Tune itself.
NOT_FOR_WORKERS = {
    *(
        "affine",
        "geopandas",
        "h5py",
        "pygeoops",
        "pyogrio",
        "pyproj",
        "pystac",
        "rasterio",
        "shapely",
        "skimage",
    ),
    *("alembic", "jinja2", "matplotlib", "mlflow", "optuna", "sklearn", "sqlalchemy", "tyro"),
}


@pytest.mark.ray
def test_a_worker_loads_nothing_that_training_does_not_need():
    script = Path(__file__).with_name("loaded_in_worker.py")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert {"ray", "torch"} <= loaded
    assert loaded & NOT_FOR_WORKERS == set()
