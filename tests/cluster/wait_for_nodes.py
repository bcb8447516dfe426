"""Wait on the head until a number of nodes are alive, and print their resources: `ray submit` runs this."""

import json
import sys
import time

import ray

TIMEOUT_S = 240

ray.init(address="auto", log_to_driver=False)
wanted, deadline = int(sys.argv[1]), time.monotonic() + TIMEOUT_S
while len(alive := [node["Resources"] for node in ray.nodes() if node["Alive"]]) != wanted:
    if time.monotonic() > deadline:
        sys.exit(f"{len(alive)} nodes after {TIMEOUT_S} s")
    time.sleep(0.5)
sys.stdout.write(f"NODES {json.dumps(alive)}\n")
