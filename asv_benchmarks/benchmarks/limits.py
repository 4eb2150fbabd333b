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
