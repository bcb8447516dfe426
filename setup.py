"""Lays the search spaces and data cards into the package; all else is in pyproject.toml."""

from setuptools import find_packages, setup

FOLDERS = ("datasets", "search_spaces")

setup(
    packages=[*find_packages(include=["glsweep*"]), *(f"glsweep.{folder}" for folder in FOLDERS)],
    package_dir={f"glsweep.{folder}": folder for folder in FOLDERS},
)
