"""The works that the study rests on."""

from dataclasses import dataclass


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
