"""What each figure means, and the works that the study rests on."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Definition:
    """One figure: its anchor on the page, its name, and what it is."""

    anchor: str
    name: str
    text: str


@dataclass(frozen=True)
class Citation:
    """One work with its address."""

    text: str
    url: str = ""


def definitions(tolerance_m: float, posting_m: float) -> list[Definition]:
    """Define every column of the table for the tolerance and posting of a study."""
    tolerance_px = tolerance_m / posting_m
    within = f"{tolerance_m:g} m ({tolerance_px:g} px)"
    entries = {
        "relaxed_f1": (
            "relaxed F1",
            f"Harmonic mean of relaxed precision (the share of predicted pixels within {within} of the "
            "true line) and relaxed recall (the share of true pixels with a prediction within that "
            "distance), pooled over all patches. It forgives a small shift, as an analyst would, and is "
            "the figure that ranks trials unless the search space says otherwise. The interval is a 95 % "
            "bootstrap over patches: it tells how far the test patches decide, not how far the seed does.",
        ),
        "dice": (
            "Dice",
            "2 TP / (2 TP + FP + FN) over pixels, mean over patches. A prediction that is right but "
            "shifted by one pixel scores about 0.41, by two pixels 0.04, so that Dice alone cannot rank "
            "drawings of lines. Where truth and prediction are both empty Dice is 1, where one is empty it "
            "is 0.",
        ),
        "precision": (
            "P",
            "Precision: the share of predicted pixels that are exactly on the true line; mean over "
            "patches, empty ones as for Dice.",
        ),
        "recall": (
            "R",
            "Recall: the share of the true line's pixels that are predicted exactly; mean over patches, "
            "empty ones as for Dice.",
        ),
        "bf": (
            "BF",
            f"Boundary F score: precision and recall of the outlines within {within}, and their harmonic "
            "mean (Csurka et al. 2013); mean over patches, empty ones as for Dice.",
        ),
        "iou_tol2": (
            "IoU_tol2",
            "Intersection over union with a tolerance of 2 px on both sides: false positives are "
            "predicted pixels farther than that from the truth, false negatives true pixels farther than "
            "that from the prediction.",
        ),
        "hd95_px": (
            "HD95 px",
            "The larger of the two directed 95th percentiles of the distance between predicted and true "
            "line, in pixels, mean over patches (Metrics Reloaded). Both empty: 0; one empty: the patch's "
            "diagonal, so that a missed line is never free.",
        ),
        "line-mean": (
            "mean m",
            "On whole scenes: the mean distance between drawn and true line along the line, half of it from "
            "the drawn line's side and half from the true one's (PoLiS, Avbelj et al. 2015). A missed or "
            "invented line counts with its distance; where nothing at all was drawn, with the scene's "
            "diagonal. A few lines far from any other decide it, so see the median too.",
        ),
        "line-median": (
            "median m",
            "The median of the same distances, both sides counting half.",
        ),
        "line-mad": ("MAD m", "The median of how far those distances lie from their median."),
        "line-completeness": (
            "found",
            "Completeness: the share of the true line's length with a drawn line within the distance.",
        ),
        "line-false": (
            "false km",
            "Kilometres of drawn line farther than the distance from every true line.",
        ),
        "tau": (
            "tau",
            "Decision threshold: a pixel is line where the network's probability is at least tau. Chosen "
            "on the validation split, used on the test split.",
        ),
        "counts": (
            "with line, without line",
            "Test patches with and without a line. Line-free patches weigh as much as others in figures "
            "that are means over patches.",
        ),
        "parameters": ("weights", "Trainable parameters of the network."),
        "baselines": (
            "all-line, no-line, untrained",
            "Predictors that have learnt nothing: every pixel line, no pixel line, and each network with "
            "random weights and a tau chosen as for the others. A network that does not beat them has "
            "learnt nothing either. Drawing no line is right on line-free patches, so that means over "
            "patches give it their share.",
        ),
    }
    return [Definition(anchor, name, text) for anchor, (name, text) in entries.items()]


CITATIONS = (
    Citation(
        "Ronneberger, Fischer & Brox 2015: U-Net. MICCAI.", "https://doi.org/10.1007/978-3-319-24574-4_28"
    ),
    Citation("Oktay et al. 2018: Attention U-Net. arXiv 1804.03999.", "https://arxiv.org/abs/1804.03999"),
    Citation(
        "Zhou, Siddiquee, Tajbakhsh & Liang 2020: U-Net++. IEEE TMI 39.",
        "https://doi.org/10.1109/TMI.2019.2959609",
    ),
    Citation("Abraham & Khan 2019: focal Tversky loss. ISBI.", "https://doi.org/10.1109/ISBI.2019.8759329"),
    Citation("Csurka, Larlus & Perronnin 2013: boundary F score. BMVC.", "https://doi.org/10.5244/C.27.32"),
    Citation(
        "Maier-Hein, Reinke et al. 2024: Metrics Reloaded. Nature Methods 21.",
        "https://doi.org/10.1038/s41592-023-02151-z",
    ),
    Citation(
        "Mohajerani et al. 2021: grounding lines by deep learning. Scientific Reports 11, 4992.",
        "https://doi.org/10.1038/s41598-021-84309-3",
    ),
)
STOPPING = {
    "asha": Citation(
        "Li et al. 2020: asynchronous successive halving. MLSys. arXiv 1810.05934.",
        "https://arxiv.org/abs/1810.05934",
    ),
    "median": Citation(
        "Golovin et al. 2017: Google Vizier, with the median rule. KDD.",
        "https://doi.org/10.1145/3097983.3098043",
    ),
}
PROPOSING = Citation(
    "Bergstra, Bardenet, Bengio & Kégl 2011: tree-structured Parzen estimator. NeurIPS 24.",
    "https://papers.nips.cc/paper/4443-algorithms-for-hyper-parameter-optimization",
)
IMPORTANCE = Citation(
    "Hutter, Hoos & Leyton-Brown 2014: importance of hyperparameters (fANOVA). ICML.",
    "https://proceedings.mlr.press/v32/hutter14.html",
)
SIMULATION = (
    Citation(
        "Holdsworth 1969: flexure of a floating ice tongue. Journal of Glaciology 8.",
        "https://doi.org/10.1017/S0022143000026976",
    ),
    Citation(
        "Vaughan 1995: tidal flexure at ice shelf margins. JGR 100 (B4).", "https://doi.org/10.1029/94JB02467"
    ),
)
