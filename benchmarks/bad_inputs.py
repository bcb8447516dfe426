"""Inputs that are not what they seem: is each read rightly, or told in one clear line?

A case is handled when its command ends with exit code 2, prints one line that names the file at fault and
what is wrong, and leaves nothing behind; or, where it can be read, when it runs through and what was read
is compared with the known interferogram, kilometres or figures. Nothing else will do: exit code 0 with other
values least of all.

Run: `python benchmarks/bad_inputs.py [WORD]` (about a minute); with a word, the cases whose kind or
name has it.
"""

import contextlib
import io
import os
import shutil
import sys
import tempfile
import warnings
from pathlib import Path

import yaml
from bad_cases import bands, cards, files, ground, no_data, seen, vectors
from bad_cases.case import Case, Cases, good, known_scenes
from rich.console import Console
from rich.table import Table

from glsweep.config import DEMO_SPACE
from glsweep.run import main

KINDS: dict[str, Cases] = {
    "1 two bands": bands.TWO_BANDS,
    "2 one band": bands.ONE_BAND,
    "3 no data": no_data.CASES,
    "4 ground": ground.CASES,
    "5 lines": vectors.CASES,
    "6 files": files.CASES,
    "7 check": seen.CASES,
    "cards": cards.CASES,
}


def few_patches(space: Path) -> None:
    """Write the demo's search space with a handful of patches: what is read is as it would be for all."""
    settings = yaml.safe_load(DEMO_SPACE.read_text())
    settings["patches"] |= {"with_line": 8, "without_line": 2}
    space.write_text(yaml.safe_dump(settings))


def attempt(case: Case, template: Path) -> tuple[bool, str]:
    """Try one case in a folder of its own; return whether it is handled, and what was told or is wrong."""
    with tempfile.TemporaryDirectory() as temporary, contextlib.chdir(temporary):
        folder = Path(temporary)
        shutil.copytree(template, folder / "data")
        with warnings.catch_warnings(action="ignore"):
            case.change(folder / "data")
        before = set(folder.iterdir())
        data = "card.yaml" if Path("card.yaml").exists() else "data"
        command = [*case.command] or [
            *f"prepare --data {data} --study study --space".split(),
            f"{template.parent}/few.yaml",
        ]
        out, errors = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
            code = main(command)
        told = errors.getvalue().strip()
        if command[0] == "check":
            wrong = (case.truth or known_scenes)(folder, out.getvalue() + told)
            return not wrong and code == (2 if case.ends == "refused" else 0), wrong or "told"
        if code == 0:
            wrong = told or (case.truth or known_scenes)(folder, out.getvalue())
            return not wrong and case.ends != "refused", wrong or "runs through"
        one_line = told.startswith("error: ") and "\n" not in told
        is_told = one_line and all(word in told for word in case.says)
        is_clean = set(folder.iterdir()) == before
        return code == 2 and is_told and is_clean and case.ends != "right", told.replace(temporary, "")


def run(word: str = "") -> int:
    """Try all cases, print a row for each and the counts."""
    os.environ.setdefault("COLUMNS", "150")
    table = Table("kind", "case", "handled", "what is told")
    handled, total = dict.fromkeys(KINDS, 0), dict.fromkeys(KINDS, 0)
    with tempfile.TemporaryDirectory() as folder:
        template = Path(folder) / "data"
        good(template)
        few_patches(Path(folder) / "few.yaml")
        for kind, cases in KINDS.items():
            for name, case in cases.items():
                if word not in f"{kind} {name}":
                    continue
                try:
                    is_handled, told = attempt(case, template)
                except Exception as error:  # noqa: BLE001  a case that is not handled must not end the others
                    is_handled, told = False, f"{type(error).__name__}: {error}"
                handled[kind] += is_handled
                total[kind] += 1
                table.add_row(kind, name, "yes" if is_handled else "NO", told.removeprefix("error: ")[:110])
    console = Console()
    console.print(table, highlight=False, markup=False)
    console.print("; ".join(f"{kind}: {handled[kind]} of {total[kind]}" for kind in KINDS), highlight=False)
    console.print(f"{sum(handled.values())} of {sum(total.values())} handled")
    return 0 if handled == total else 1


if __name__ == "__main__":
    sys.exit(run(*sys.argv[1:]))
