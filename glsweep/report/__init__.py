"""The report: table, figures and page; here, names, counts and durations in running text."""

from collections.abc import Sequence

DASH = "\N{EN DASH}"

METRIC_WORDS = {
    "relaxed_f1": "relaxed F1",
    "relaxed_f05": "relaxed F0.5",
    "dice": "mean Dice",
    "val_loss": "validation loss",
}


def joined(names: Sequence[str]) -> str:
    """Return `a`, `a and b` or `a, b and c`."""
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1] if names else ""


def counted(number: int, singular: str, plural: str | None = None) -> str:
    """Return `1 patch`, `1,200 patches`: a number with its noun."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def short(label: str) -> str:
    """Return a parameter's label with three significant digits where it is a long number."""
    try:
        number = float(label)
    except ValueError:
        return label
    return f"{number:.3g}" if len(label) > 7 else label


def sentence(text: str) -> str:
    """Return `text` with its first letter in upper case and the others as they are."""
    return text[:1].upper() + text[1:]


def duration(seconds: float) -> str:
    """Return a wall time as people write it: `4.1 s`, `3 min 20 s`, `2 h 05 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
