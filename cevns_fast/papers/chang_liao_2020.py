"""Chang & Liao 2020 (CL), a singlet fermion χ in νN → χN: what `cevns-fast reproduce chang-liao-2020` makes."""

from cevns_fast.papers.chang_liao_features import draw_edge, draw_kink, edge, kink
from cevns_fast.papers.chang_liao_figures import CITATION, draw_fig2, draw_fig3, draw_fig4, fig2, fig3, fig4
from cevns_fast.papers.chang_liao_numbers import numbers
from cevns_fast.papers.report import Paper, PaperFigure

PAPER = Paper(
    title="Chang & Liao 2020: a singlet fermion",
    citation=CITATION,
    figures=(
        PaperFigure(
            "fig2", fig2, draw_fig2, "Fig. 2: recoil spectra at one neutrino energy",
            "The dipole's curve peaks at T = 2 keV, Eq. (8); the curves end where the kinematics does.",
        ),
        PaperFigure(
            "fig3", fig3, draw_fig3, "Fig. 3: bounds on four couplings",
            "Thin lines: the heaviest chi that the nu_mu line (29.8 MeV) and all of COHERENT (52.8 MeV) can produce. "
            "The dipole's bound from CONUS has its kink at 3.8 MeV.",
        ),
        PaperFigure(
            "fig3-nu-mu-line", edge, draw_edge, "Fig. 3, right end: the nu_mu line's edge",
            "Bounds over those for a light chi. Just below 29.8 MeV the recoils from the monoenergetic nu_mu fall "
            "below threshold, most visibly in liquid argon, which sees nothing below 20 keV. At 52.8 MeV all ends.",
        ),
        PaperFigure(
            "fig3-conus-kink", kink, draw_kink, "Fig. 3: the cause of the kink at 3.8 MeV",
            "With a flux known exactly there is no kink. Near 3.8 MeV the dipole's spectrum has the Standard Model's "
            "shape, and the 5% uncertainty of the flux absorbs it.",
        ),
        PaperFigure(
            "fig4", fig4, draw_fig4, "Fig. 4: correlations",
            "C_S and a_M are anti-correlated, the other pairs are not.",
        ),
    ),
    numbers=numbers,
)  # fmt: skip
