"""QGIS itself, which opens files as a user does: through the system's Python, where Debian puts PyQGIS."""

import json
import os
import subprocess
from functools import cache
from pathlib import Path

import pytest

PYTHON = "/usr/bin/python3"


@cache
def is_there():
    command = [PYTHON, "-c", "import qgis.core"]
    return Path(PYTHON).exists() and subprocess.run(command, capture_output=True, check=False).returncode == 0


needs_qgis = pytest.mark.skipif(not is_there(), reason="PyQGIS is not there (package python3-qgis)")


def seen_by_qgis(tmp_path, **request):
    """Return what QGIS says of a project and of files; it may have nothing to complain of.

    Parameters
    ----------
    tmp_path : Path
        Where QGIS keeps its settings.
    request : dict
        `project`, and `pictures` of it (`file`, `size`, titles of `layers`); `files`, each with its provider.
    """
    own = {"QT_QPA_PLATFORM": "offscreen", "XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path)}
    # Python's own variables are of another Python.
    others = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    run = subprocess.run(
        [PYTHON, str(Path(__file__).with_name("qgis_reader.py"))],
        input=json.dumps(request, default=str),
        capture_output=True,
        text=True,
        check=False,
        env={**others, **own},
        timeout=60,
    )
    assert run.returncode == 0, run.stderr
    complaints = [line for line in run.stderr.splitlines() if not line.startswith("QStandardPaths")]
    assert not complaints, complaints
    answer = json.loads(run.stdout)
    assert answer["messages"] == []
    return answer
