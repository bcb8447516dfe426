"""What the site takes from elsewhere than docs/: files of the repository, and pages made from the code.

Links in every page are those that hold in the repository; here they are turned to where the site has it.
"""

import re
from pathlib import Path
from posixpath import dirname, join, normpath, relpath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from program_reference import program_pages
from settings_reference import settings_pages

REPOSITORY = Path(__file__).parents[2]

TAKEN = {
    "ARCHITECTURE.md": "design/architecture.md",
    "CHANGELOG.md": "design/changelog.md",
    "CONTRIBUTING.md": "design/contributing.md",
    "GLOSSARY.md": "design/glossary.md",
    "benchmarks/RESULTS.md": "design/benchmarks.md",
    "cluster.yaml": "cluster/cluster.yaml",
    "datasets/README.md": "data_cards.md",
}
"""Where the site has a file of the repository that lies outside docs/."""

FROM_ANY_FOLDER = "Each is named as it stands here, such as `{}/demo.yaml`, from any folder."
SHOWN = {
    "datasets": ("reference/shipped_cards.md", "Data cards that are shipped", FROM_ANY_FOLDER),
    "search_spaces": ("reference/shipped_spaces.md", "Search spaces that are shipped", FROM_ANY_FOLDER),
    "examples": ("reference/examples.md", "Examples", "Files of the folder `{}` in a checkout."),
}
"""Folders whose files stand on one page each: the page, its title and its first line."""
LANGUAGES = {".py": "python", ".yaml": "yaml"}

LINK = re.compile(r"(?<=\]\()(?P<target>[^)#:\s]+)(?P<anchor>#[^)\s]*)?(?=\))")
CODE = re.compile(r"`[^`\n]+`")


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the pages that do not lie in docs/."""
    for source, place in TAKEN.items():
        files.append(File.generated(config, place, abs_src_path=str(REPOSITORY / source)))
    shown = {place: _page_of_files(folder, *words) for folder, (place, *words) in SHOWN.items()}
    for place, text in (shown | settings_pages() | program_pages()).items():
        files.append(File.generated(config, place, content=text))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn the links of a page that was written for the repository."""
    here = page.file.src_uri
    written_in = dirname(next((source for source, place in TAKEN.items() if place == here), f"docs/{here}"))

    def turned(link: re.Match[str]) -> str:
        target = normpath(join(written_in, link["target"]))
        place = _place(target)
        return link[0] if place is None else relpath(place, dirname(here) or ".") + (link["anchor"] or "")

    # GitHub wants the bars in a table's code escaped, the site shows the backslashes.
    unescaped = CODE.sub(lambda code: code[0].replace("\\|", "|"), markdown)
    return LINK.sub(turned, unescaped)


def _place(target: str) -> str | None:
    """Return where the site has a file of the repository, if it does."""
    if target in TAKEN:
        return TAKEN[target]
    folder, _, name = target.partition("/")
    if folder in SHOWN and name.endswith(tuple(LANGUAGES)):
        return f"{SHOWN[folder][0]}#{_anchor(name)}"
    return name if folder == "docs" else None


def _page_of_files(folder: str, title: str, introduction: str) -> str:
    parts = [f"# {title}", introduction.format(folder)]
    for path in sorted((REPOSITORY / folder).rglob("*")):
        if path.suffix in LANGUAGES:
            name = path.relative_to(REPOSITORY / folder).as_posix()
            block = f"```{LANGUAGES[path.suffix]}\n{path.read_text().strip()}\n```"
            parts.append(f"## {name} {{#{_anchor(name)}}}\n\n{block}")
    return "\n\n".join(parts) + "\n"


def _anchor(name: str) -> str:
    return re.sub(r"\W", "-", name)
