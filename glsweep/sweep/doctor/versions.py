"""Whether all nodes run the same Python, Ray, PyTorch and glsweep as the driver."""

from collections.abc import Iterator, Mapping

from glsweep.sweep.doctor.finding import Finding, error

REMEDY = "install the same lock on every node (requirements.lock, then this package)"


def differing(
    here: Mapping[str, str | None], there: Mapping[str, Mapping[str, str | None]]
) -> Iterator[Finding]:
    """Find the nodes whose versions differ from the driver's.

    A build's own label, such as `+cu128` for PyTorch on a GPU, is no difference.

    Parameters
    ----------
    here : mapping of str to (str or None)
        By package, of the driver; None where it is not installed.
    there : mapping of str to mapping
        The same by node.
    """
    for node, versions in there.items():
        unlike = [
            f"{package} {versions.get(package) or 'none'} instead of {version or 'none'}"
            for package, version in here.items()
            if _public(versions.get(package)) != _public(version)
        ]
        if unlike:
            yield error(f"has {', '.join(unlike)}", where=f"node {node}", remedy=REMEDY)


def _public(version: str | None) -> str | None:
    if version is None:
        return None
    number, _, rest = version.partition(" ")
    return f"{number.partition('+')[0]} {rest}".strip()
