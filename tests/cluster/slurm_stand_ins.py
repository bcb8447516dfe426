"""Slurm's commands, as far as docs/cluster/slurm.sbatch uses them: `srun` goes to every host by ssh."""

from collections.abc import Sequence
from pathlib import Path

SRUN = """#!/usr/bin/env bash
while [[ $1 == --* ]]; do shift; done
for address in {addresses}; do
  {ssh} $address "$(export -p); cd $PWD; $(printf '%q ' "$@")" &
done
wait
"""


def write_stand_ins(folder: Path, addresses: Sequence[str], ssh: str) -> dict[str, str]:
    """Write `scontrol` and `srun` and return the variables that Slurm would set."""
    folder.mkdir()
    scripts = {
        "scontrol": "#!/usr/bin/env bash\nprintf '%s\\n' " + " ".join(addresses) + "\n",
        "srun": SRUN.replace("{addresses}", " ".join(addresses)).replace("{ssh}", ssh),
    }
    for name, script in scripts.items():
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)
    return {
        "PATH": f"{folder}:$PATH",
        "SLURM_JOB_ID": "1",
        "SLURM_JOB_NODELIST": "all",
        "SLURM_JOB_NUM_NODES": str(len(addresses)),
        "SLURM_CPUS_PER_TASK": "1",
    }
