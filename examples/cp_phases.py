"""A correlation plane, and how a CP phase between two couplings turns it."""

import numpy as np

import cevns_fast as cf

csi = cf.load("coherent-csi-2017")
eft = cf.SingletEFT(m_chi=40.0)
C_S, a_M = np.linspace(-0.06, 0.06, 601), np.linspace(-1.2e-3, 1.2e-3, 601)

correlations = []
for degrees in (0, 45, 90):
    phase = np.exp(1j * np.deg2rad(degrees))
    scan = cf.correlation_scan(csi, eft, ("C_S", "a_M"), C_S, a_M, phases={"C_S": phase})
    correlations.append(scan.correlation(cl=0.90))
    print(f"{degrees:2d}°: correlation {correlations[-1]:+.3f}, area {scan.area(cl=0.90):.3g}")

# The interference is Re(a_M* C_S): real couplings are anti-correlated, a phase of 90° leaves nothing of it.
assert correlations[0] < -0.3 and abs(correlations[2]) < 1e-3
