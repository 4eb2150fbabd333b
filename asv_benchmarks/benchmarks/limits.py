"""Limits."""

import numpy as np

import cevns_fast as cf


class LimitScan:
    """200 masses × 4 couplings on CsI."""

    params = (1, 2)
    param_names = ("threads",)

    def setup(self, threads):
        self.csi = cf.load("coherent-csi-2017")
        self.interactions = [cf.SingletEFT(float(m)) for m in np.geomspace(0.1, 53.0, 200)]
        cf.limit_scan(self.csi, self.interactions[:3], "C_S", threads=threads)

    def time_limit_scan(self, threads):
        for coupling in cf.SingletEFT.default_couplings:
            cf.limit_scan(self.csi, self.interactions, coupling, cl=0.90, threads=threads)


class Mediator:
    """100 masses of a mediator whose loops make counts a polynomial of degree four."""

    def setup(self):
        self.csi = cf.load("coherent-csi-2017")
        masses = np.geomspace(1.0, 50.0, 100).tolist()
        self.interactions = [cf.VectorMediator(m_chi=m, m_zprime=10 * m, gchi_gq=0.0) for m in masses]
        cf.limit_scan(self.csi, self.interactions[:3], "gchi_gq")

    def time_limit_scan(self):
        cf.limit_scan(self.csi, self.interactions, "gchi_gq")
