#!/usr/bin/env bash
# Starts the MLflow server on the head, on loopback, unless it runs. Database and artifacts lie on
# the head's own disk: SQLite does not bear a network file system. For PostgreSQL set
# MLFLOW_DATABASE=postgresql://USER:PASSWORD@HOST/NAME, for artifacts in S3
# MLFLOW_ARTIFACTS=s3://BUCKET/mlflow.
set -euo pipefail
home=~/mlflow
mkdir -p "$home"
answers() { curl --silent --fail --output /dev/null http://127.0.0.1:5000/health; }
if answers; then exit 0; fi
MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false setsid nohup ~/glsweep-env/bin/mlflow server \
  --host 127.0.0.1 --port 5000 --workers 1 \
  --backend-store-uri "${MLFLOW_DATABASE:-sqlite:///$home/mlflow.db}" \
  --artifacts-destination "${MLFLOW_ARTIFACTS:-$home/artifacts}" \
  > "$home/server.log" 2>&1 < /dev/null &
for _ in $(seq 120); do
  if answers; then exit 0; fi
  sleep 1
done
echo "MLflow does not answer on port 5000 after 120 s; see $home/server.log" >&2
exit 1
