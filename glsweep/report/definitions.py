"""What each metric means, and the works that the study rests on."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Definition:
    """One metric: its anchor on the page, its name, and what it is."""

    anchor: str
    name: str
    text: str


DRAWN_ANEW = {
    "scenes": "patches of one scene overlap and err alike, so that whole scenes are drawn anew. It says "
    "how far the test scenes decide, not how far the seed does.",
    "patches": "there are too few test scenes to draw whole ones anew. Patches overlap and err alike, so "
    "that the true interval is wider. Nor does it tell how far the seed decides.",
}


def definitions(tolerance_m: float, posting_m: float, interval_over: str = "patches") -> list[Definition]:
    """Define every metric for the tolerance and posting of a study, and what its intervals are over."""
    tolerance_px = tolerance_m / posting_m
    within = f"{tolerance_m:g} m ({tolerance_px:g} px)"
    entries = {
        "relaxed_f1": (
            "relaxed F1",
            f"Harmonic mean of relaxed precision (the share of predicted pixels within {within} of the "
            "true line) and relaxed recall (the share of true pixels with a prediction within that "
            "distance), pooled over all patches. It forgives a small shift, as an analyst would, and is "
            "the metric that ranks trials unless the search space says otherwise. The interval is a 95 % "
            f"bootstrap over {interval_over}: {DRAWN_ANEW[interval_over]}",
        ),
        "dice": (
            "Dice",
            "2 TP / (2 TP + FP + FN) over pixels, mean over patches. The true line of the simulated demo, "
            "shifted by one pixel along a row or column, scores 0.50, by two pixels 0.21 (burnt into all "
            "pixels that it touches; 0.30 and 0.16 one pixel wide), so that Dice alone cannot rank "
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
            "mean (Csurka et al. 2013); mean over patches, empty ones as for Dice. BF 100 and BF 500 are the "
            "same within so many metres.",
        ),
        "iou_tol2": (
            "IoU_tol2",
            "Intersection over union with a tolerance of 2 px on both sides: false positives are "
            "predicted pixels farther than that from the truth, false negatives true pixels farther than "
            "that from the prediction.",
        ),
        "iou_tol2_literal": (
            "IoU_tol2 literal",
            "Intersection over union of the prediction and the truth widened by 2 px, as the study that this "
            "project implements words it. Even a perfect line scores only about .29.",
        ),
        "hd95_px": (
            "HD95 px",
            "The larger of the two directed 95th percentiles of the distance between predicted and true "
            "line, in pixels, mean over patches (Metrics Reloaded). Both empty: 0; one empty: the patch's "
            "diagonal, so that a missed line is never free.",
        ),
        "hd95_union_px": (
            "HD95 union px",
            "The 95th percentile of both directions' distances taken together, in pixels (MedPy). It differs "
            "hugely from HD95: a short invented line hardly moves it.",
        ),
        "micro": (
            "micro",
            "Of all pixels of all patches together, in place of the mean over patches: long lines count "
            "more, and line-free patches only by what was invented there.",
        ),
        "apart": (
            "with line, left empty",
            "Means over the patches with a line alone. Left empty: the share of patches in which nothing was "
            "predicted, which is right where there is no line and wrong where there is one.",
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
        "average-precision": (
            "area",
            f"Of relaxed precision against relaxed recall, both within {within} and pooled over all test "
            "patches, as the threshold falls from 1 to 0: the sum over each rise of recall times the "
            "precision there (average precision). It depends on no threshold.",
        ),
        "reliability": (
            "reliability",
            "Pixels are sorted by their predicted probability into ten bins of equal width; against a bin's "
            f"mean probability stands the share of its pixels within {within} of the true line, and the "
            "share exactly on it. Networks are trained to tell the line's own pixels; a reader of a map "
            "wants to know whether a line is near. Nothing here was recalibrated.",
        ),
        "calibration-error": (
            "calibration error",
            "Mean distance between probability and observed share, bins weighing as many pixels as they have "
            "(expected calibration error, Naeini et al. 2015). Pixels below the first bin's upper edge, .1, "
            "are left out: they are nearly all of a scene, and would make every network look calibrated.",
        ),
        "tau": (
            "tau",
            "Decision threshold: a pixel is line where the network's probability is at least tau. Chosen "
            "on the validation split, used on the test split.",
        ),
        "counts": (
            "with line, without line",
            "Test patches with and without a line. Line-free patches weigh as much as others in metrics "
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
        "phase_gradient": (
            "Phase gradient",
            "A line drawn without learning, at the landward edge of dense fringes, by their frequency alone. "
            "Its few numbers and its tau are chosen on the validation split. What a network has beyond it, "
            "it has learnt.",
        ),
        "second-analyst": (
            "second analyst",
            "Another person's lines of the same scenes, scored as a network's: the ceiling is what two "
            "people agree on, and a network above it has learnt one analyst's habits.",
        ),
    }
    return [Definition(anchor, name, text) for anchor, (name, text) in entries.items()]


# --- The works that the study rests on


@dataclass(frozen=True)
class Citation:
    """One work with its address."""

    text: str
    url: str = ""


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
        "Naeini, Cooper & Hauskrecht 2015: expected calibration error. AAAI.",
        "https://doi.org/10.1609/aaai.v29i1.9602",
    ),
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
    "halving": Citation(
        "Jamieson and Talwalkar 2016: successive halving. AISTATS. arXiv 1502.07943.",
        "https://arxiv.org/abs/1502.07943",
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
BEST_TRIALS = Citation(
    "Watanabe, Bansal & Hutter 2023: importance of hyperparameters among good trials (PED-ANOVA). IJCAI.",
    "https://arxiv.org/abs/2304.10255",
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
