"""The command `doctor`: the same checks without a sweep."""

import os
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from glsweep.errors import ResourceError, StudyError
from glsweep.sweep.cluster import connected
from glsweep.sweep.doctor.examine import CLUSTER_CHECKS, FILE_RULES, examine_cluster, examine_file
from glsweep.sweep.doctor.finding import Finding, error, warning
from glsweep.sweep.doctor.need import Need
from glsweep.sweep.doctor.this_machine import lacking
from glsweep.tracking.reach import reach

COLOURS = {"error": "red", "warning": "yellow"}


def doctor(
    *, cluster_yaml: Path | None, address: str | None, need: Need, storage: str | None, console: Console
) -> int:
    """Check a cluster file, or else the cluster at `address`, or else this machine; print what is found.

    A file is checked without a cluster, unless `address` is given as well.

    Parameters
    ----------
    cluster_yaml : Path, optional
        A file for `ray up`.
    address : str, optional
        A cluster's address; None starts Ray on this machine.
    need : Need
        What the sweep asks for, see `need_of`.
    storage : str, optional
        Folder or URI of the checkpoints.
    console : Console
        Where the findings are printed.

    Returns
    -------
    int
        Exit code: 2 when there is an error among the findings, else 0.
    """
    findings, checks = [], 0
    if cluster_yaml is not None:
        findings += examine_file(cluster_yaml, need.resources)
        checks += 1 + len(FILE_RULES)
    if cluster_yaml is None or address is not None:
        root = None if storage is None or "://" in storage else str(Path(storage).resolve())
        findings += _examine_at(address, need, root or storage)
        findings += _unreachable_tracking()
        checks += 1 + len(CLUSTER_CHECKS)
    print_findings(findings, console, checks=checks)
    return 2 if any(finding.severity == "error" for finding in findings) else 0


def print_findings(findings: Sequence[Finding], console: Console, *, checks: int) -> None:
    """Print a table of findings, errors first, or one line that says that there are none."""
    if not findings:
        console.print(f"no findings: {checks} checks", highlight=False)
        return
    table = Table(box=None, pad_edge=False)
    for column in ("severity", "where", "what", "what to do"):
        table.add_column(column, overflow="fold")
    for finding in sorted(findings, key=lambda finding: finding.severity):
        style = COLOURS[finding.severity]
        table.add_row(f"[{style}]{finding.severity}[/{style}]", *_escaped(finding))
    console.print(table)
    console.print(f"{len(findings)} findings: {checks} checks", highlight=False)


def _escaped(finding: Finding) -> tuple[str, str, str]:
    where, what, remedy = (escape(text) for text in (finding.where, finding.what, finding.remedy))
    return where, what, remedy


def _examine_at(address: str | None, need: Need, storage: str | None) -> list[Finding]:
    if address is None and (missing := list(lacking())):
        return missing
    try:
        with connected(address):
            return examine_cluster(need, storage_root=storage)
    except ResourceError as failure:
        what, _, remedy = str(failure).rpartition("; ")
        where = "this machine" if address is None else f"--address {address}"
        return [error(what, where=where, remedy=remedy)]


def _unreachable_tracking() -> list[Finding]:
    """Training goes on without MLflow, and `track` sends later what it missed: a warning."""
    uri = os.environ.get("MLFLOW_TRACKING_URI")
    if not uri:
        return []
    try:
        reach(uri)
    except StudyError as failure:
        return [
            warning(str(failure), where="MLFLOW_TRACKING_URI", remedy="figures can be sent later by `track`")
        ]
    return []
