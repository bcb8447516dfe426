"""The data card and the search space that are used when a user names none."""

from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
DEMO_CARD = PROJECT / "datasets" / "demo.yaml"
DEMO_SPACE = PROJECT / "search_spaces" / "demo.yaml"
