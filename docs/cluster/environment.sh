# Sourced by ~/.bashrc on every node, so that `ray exec`, `ray attach` and Ray itself agree.
export PATH="$HOME/glsweep-env/bin:$PATH"
# Without a token on every side a cluster hangs half up; the file is ~/.ray/auth_token.
export RAY_AUTH_MODE=token
export RAY_USAGE_STATS_ENABLED=0
export MLFLOW_DISABLE_TELEMETRY=true
# Only the driver, on the head, talks to MLflow; trials never do.
export MLFLOW_TRACKING_URI=http://127.0.0.1:5000
