"""Whether trials that run side by side have more threads than there are cores.

Two trials with two threads each on two cores were seen to run 35 times slower than with one each.
"""

from collections.abc import Iterator, Mapping

from glsweep.config.space import Resources
from glsweep.sweep.doctor.finding import Finding, warning


def too_many(
    node: str, *, resources: Resources, together: int, cores: int, threads: Mapping[str, str]
) -> Iterator[Finding]:
    """Find threads that get into each other's way on a node.

    Parameters
    ----------
    node : str
        Its name.
    resources : Resources
        What a trial asks for; it starts as many threads as it has CPUs.
    together : int
        Trials that Ray would run there at once.
    cores : int
        Cores that the node really lets its processes use.
    threads : mapping of str to str
        The variables of the environment that set numbers of threads, where they are set.
    """
    where = f"node {node}"
    if together * resources.cpus > cores:
        yield warning(
            f"{together} trials with {resources.cpus} threads each would share {cores} cores",
            where=where,
            remedy=f"start Ray there with --num-cpus={cores}",
        )
    for name, value in threads.items():
        if together and value.isdigit() and int(value) > resources.cpus:
            yield warning(
                f"{name}={value}, but a trial has {resources.cpus} CPUs",
                where=where,
                remedy=f"unset {name} there, or set it to {resources.cpus}",
            )
