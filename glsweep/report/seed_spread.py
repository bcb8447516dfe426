"""The best configurations of each stratum with the spread over their seeds."""

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from glsweep.config.trial import Stratum
from glsweep.report.results import Results
from glsweep.report.seeds import SeedRow, pooled_spread, seed_rows
from glsweep.report.small_multiples import small_multiples
from glsweep.report.style import INK, Plate, architecture_colour, note
from glsweep.report.words import FIGURE_WORDS, counted

SHOWN = 6


def draw_seeds(results: Results) -> Plate | None:
    """Draw means and single seeds; None where each configuration ran with one seed."""
    search = results.config.space.search
    if search.replicates == 1:
        return None

    def draw(axes: Axes, stratum: Stratum) -> None:
        rows = seed_rows(results, stratum)[:SHOWN]
        if not rows:
            axes.set_axis_off()
            note(axes, "no trial ran in full")
            return
        _draw_rows(axes, rows, architecture_colour(stratum.architecture))
        axes.set_xlabel(FIGURE_WORDS[search.rank_by])

    return Plate(
        name="seeds",
        title="Spread over seeds",
        figure=small_multiples(results.trial_strata, draw),
        caption=(
            f"The best {SHOWN} configurations of each stratum (fewer where fewer ran in full), each with up "
            f"to {counted(search.replicates, 'seed')}, by their best {FIGURE_WORDS[search.rank_by]} on "
            "validation; the winner is on top. Dots are seeds, the upright bar is their mean, by which "
            "configurations are ranked, and the level line reaches one standard deviation to either side. "
            "The first of many is partly so by luck: expect it to do a little worse when run again."
        ),
        alt="Spread over seeds. " + "; ".join(_in_words(results, s) for s in results.trial_strata) + ".",
    )


def _draw_rows(axes: Axes, rows: list[SeedRow], colour: str) -> None:
    for place, row in enumerate(rows):
        if row.spread is not None:
            reach = [row.mean - row.spread, row.mean + row.spread]
            axes.plot(reach, [place, place], color=INK, linewidth=1.2, zorder=2)
        axes.plot([row.mean], [place], "|", color=INK, markersize=13, markeredgewidth=2, zorder=3)
        axes.plot(
            row.values,
            [place] * len(row.values),
            "o",
            color=colour,
            markersize=5.5,
            markeredgecolor="white",
            markeredgewidth=0.6,
            zorder=4,
        )
    axes.set_yticks(range(len(rows)), [row.configuration.partition("-")[0] for row in rows])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(max(len(rows), 3) - 0.5, -0.5)
    axes.set_ylabel("configuration")
    axes.margins(x=0.08)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5))


def _in_words(results: Results, stratum: Stratum) -> str:
    rows = seed_rows(results, stratum)
    spread = pooled_spread(rows)
    if not rows:
        return f"{stratum.title} none ran in full"
    told = "not known" if spread is None else f"{spread:.3f}"
    return f"{stratum.title} best mean {rows[0].mean:.3f}, standard deviation over seeds {told}"
