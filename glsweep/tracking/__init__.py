"""The record of every run; the only user of MLflow."""

import logging
import os

# MLflow reads these when it is imported or used, hence here; what a user has set stands.
ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    # MLflow repeats a request whose answer was lost, which can make a second run. The mirror checks
    # first what has arrived, and must learn within seconds that nothing answers.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}
for name, value in ENVIRONMENT.items():
    os.environ.setdefault(name, value)

# Prints a traceback of each error of a database, which it raises as well; here it becomes one line.
logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
