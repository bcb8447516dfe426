#!/usr/bin/env bash
# Makes ~/glsweep-env from the lock, the same on every node; quick when it is there already.
set -euo pipefail
cd "$(dirname "$0")/../.."
test -x ~/glsweep-env/bin/pip || "${PYTHON:-python3}" -m venv ~/glsweep-env
~/glsweep-env/bin/pip install --quiet --requirement requirements-cluster.lock
~/glsweep-env/bin/pip install --quiet --no-deps --editable .
~/glsweep-env/bin/pip check
