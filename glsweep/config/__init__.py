"""What a user writes: data cards, search spaces and studies, checked before anything runs."""

from pathlib import Path

FOLDERS = ("datasets", "search_spaces")
PACKAGE = Path(__file__).resolve().parents[1]
# An installed package holds the folders, in a checkout they lie beside it.
SHIPPED = PACKAGE if (PACKAGE / "search_spaces").is_dir() else PACKAGE.parent
DEMO_CARD = SHIPPED / "datasets" / "demo.yaml"
DEMO_SPACE = SHIPPED / "search_spaces" / "demo.yaml"
DEMO_SPACE_NAME = "search_spaces/demo.yaml"


def find_shipped(path: Path) -> Path:
    """Return a path, or the file that comes with glsweep under this name where there is none.

    So `search_spaces/wide.yaml` can be named from any folder, as the README and `--help` do.
    """
    ours = SHIPPED / path
    return (
        ours if path.parts[:1] and path.parts[0] in FOLDERS and not path.exists() and ours.is_file() else path
    )
