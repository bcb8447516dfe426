"""What a user writes, checked before anything runs: data cards and search spaces."""

from pathlib import Path

FOLDERS = ("datasets", "search_spaces")
PACKAGE = Path(__file__).resolve().parents[1]
# An installed package contains the folders; in a checkout they lie beside it.
SHIPPED = PACKAGE if (PACKAGE / "search_spaces").is_dir() else PACKAGE.parent
DEMO_CARD = SHIPPED / "datasets" / "demo.yaml"
DEMO_SPACE = SHIPPED / "search_spaces" / "demo.yaml"
DEMO_SPACE_NAME = "search_spaces/demo.yaml"


def find_shipped(path: Path) -> Path:
    """Return a path, or, if nothing is there, the file of this name that comes with glsweep.

    So `search_spaces/wide.yaml` can be named from any folder, as in the README and `--help`.
    """
    shipped = SHIPPED / path
    return (
        shipped
        if path.parts[:1] and path.parts[0] in FOLDERS and not path.exists() and shipped.is_file()
        else path
    )
