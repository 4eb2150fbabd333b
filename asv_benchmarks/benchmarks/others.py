"""What the library is compared with: the same numbers by vectorised numpy, nested scipy quadrature, and JAX.

Templates are those of the EFT (the Standard Model and ten products of a_M, C_S, C_V, C_T) for detectors without
smearing, and χ² is that of CL Eq. (13), as a careful physicist writes them; the integrals do not reach 1e-10.
"""

import math
import os
from functools import partial
from types import SimpleNamespace

import numpy as np
from scipy import integrate

import cevns_fast as cf
from cevns_fast.constants import ALPHA, G_FERMI, M_MUON, M_PION, MEV2_CM2

SIN2 = 0.2312
PION_LINE = (M_PION**2 - M_MUON**2) / (2 * M_PION)  # energy of ν_μ of a pion at rest, MeV
DIPOLE = math.sqrt(4 * math.pi * ALPHA) * (math.sqrt(2) * G_FERMI) ** -0.5 / 2
END = M_MUON / 2
PAIRS = ("AA", "AS", "AV", "AT", "SS", "SV", "ST", "VV", "VT", "TT")


def powers(M, m, T):
    """{pair: [coefficients of E⁰, E⁻¹, E⁻²]} of CL Eq. (2) for unit amplitudes; the last entry: odd under ν ↔ ν̄."""
    G2, zero = G_FERMI**2 / math.pi, 0 * T
    m2 = m * m
    return {
        "SM": (G2 * M * (1 + zero), -G2 * M * T, G2 * M / 2 * (T * T - M * T), 1),
        "AA": (2 * G2 / T, -2 * G2 / M * (M + m2 / (2 * T)),
               2 * G2 / M * (m2 / 4 + (M / T) * (m2 * m2 / (8 * M * M) - m2 / 4) - m2 * m2 / (8 * T * T)), 1),
        "AS": (zero, -math.sqrt(2) * G2 * M * (1 + zero), math.sqrt(2) * G2 * M * (T / 2 + m2 / (4 * M)), -1),
        "AV": (zero, zero, -G2 / math.sqrt(2) * M * m * (1 - T / M) * (1 + m2 / (2 * M * T)), 1),
        "AT": (zero, zero, G2 / math.sqrt(2) * M * (2 * T - m2 / M - m2 * m2 / (T * M * M)), 1),
        "SS": (zero, zero, G2 * M / 4 * (1 + T / (2 * M)) * (M * T + m2 / 2), 1),
        "SV": (zero, G2 * M / 2 * m * (1 + zero), -G2 * M / 2 * m * (T / 2 + m2 / (4 * M)), -1),
        "ST": (zero, -G2 * M * T, G2 * M / 2 * (T * T + m2 * T / (2 * M)), -1),
        "VV": (G2 * M / 2 * (1 + zero), -G2 * M / 2 * (T + m2 / (2 * M)),
               G2 * M / 2 * (T / 2 * (T - M) - m2 / 4 * (1 - T / M)), 1),
        "VT": (zero, zero, -1.5 * G2 * M * m * T * (1 + m2 / (2 * M * T)), 1),
        "TT": (4 * G2 * M * (1 + zero), -4 * G2 * M * (T + m2 / (2 * M)),
               4 * G2 * M * (T / 4 * (T - M) - m2 / 4 * (0.5 - T / (2 * M))), 1),
    }  # fmt: skip


def unit_amplitudes(nuclide):
    """What unit couplings are worth in a nucleus; SM: the weak charge."""
    of = cf.SingletEFT(1.0, C_S=1.0, C_V=1.0, C_T=1.0).nuclear_couplings(nuclide)
    charge = nuclide.Z * (0.5 - 2 * SIN2) - nuclide.N / 2
    return {"A": nuclide.Z * DIPOLE, "S": of["C_S"].real, "V": of["C_V"].real, "T": of["C_T"].real, "M": charge}


def acceptance(T):
    """CL Eq. (12)."""
    x = 1170.0 * T
    return 0.6655 / (1 + np.exp(-0.4942 * (x - 10.8507)))


class VectorisedNumpy:
    """Templates by Gauss–Legendre in T and E on arrays, everything that does not depend on the mass made beforehand."""

    def __init__(self, experiment, nodes_T=8, nodes_E=32):
        detector = experiment.detector
        self.edges = np.array([detector.recoil_at(edge, 1.0) for edge in detector.bins])
        x, w = np.polynomial.legendre.leggauss(nodes_T)
        half = np.diff(self.edges)[:, None] / 2
        self.T = self.edges[:-1, None] + half + half * x  # [bins, nodes]
        self.x, self.w = np.polynomial.legendre.leggauss(nodes_E)
        accepted = detector.response.accept(detector.response.mean(self.T))
        self.nuclei = []
        for nuclide, number in zip(detector.target.nuclides, detector.nuclei, strict=True):
            F2 = cf.helm_form_factor(nuclide, self.T) ** 2
            norm = number * experiment.fluence * MEV2_CM2
            self.nuclei.append((nuclide, half * w * accepted * F2 * norm, unit_amplitudes(nuclide)))
        components = experiment.source.components
        self.end = max(each.breakpoints[-1] for each in components if each.breakpoints)
        self.lines = [(parity(each), *line) for each in components for line in each.lines]
        self.spectra = [(parity(each), self.quick(each)) for each in components if each.spectrum]

    def quick(self, component):
        """A spectrum that costs little: a polynomial, or a table in place of sums of exponentials."""
        if len(component.breakpoints) == 2:
            return component.spectrum
        grid = np.linspace(component.breakpoints[0], self.end, 4000)
        values = component.spectrum(grid)
        return lambda E: np.interp(E, grid, values)

    def __call__(self, m):
        """float64[11, bins]"""
        total = np.zeros((11, len(self.edges) - 1))
        for nuclide, weight, unit in self.nuclei:
            for row, (pair, mass) in enumerate([("SM", 0.0), *((p, m) for p in PAIRS)]):
                if row < 2:  # the Standard Model, then all pairs at the particle's mass
                    even, odd = self.moments(nuclide.mass, mass)
                    table = powers(nuclide.mass, mass, self.T)
                *coefficients, sign = table[pair]
                moments = even if sign > 0 else odd
                sigma = sum(c * mu for c, mu in zip(coefficients, moments, strict=True))
                amplitude = unit["M"] ** 2 if pair == "SM" else unit[pair[0]] * unit[pair[1]]
                total[row] += amplitude * np.sum(weight * sigma, axis=1)
        return total

    def moments(self, M, m):
        """∫_{E_min} φ E^−k dE for k = 0, 1, 2 of all species: even, and odd under ν ↔ ν̄."""
        T = self.T
        lowest = (T * M + m * m / 2) / (np.sqrt(T * (T + 2 * M)) - T)
        low = np.minimum(lowest, self.end)[..., None]
        half = (self.end - low) / 2
        E = low + half + half * self.x
        flux = [(sign, half * self.w * spectrum(E)) for sign, spectrum in self.spectra]
        even, odd = [], []
        for k in range(3):
            of_lines = [(sign, (lowest < E0) * intensity * E0**-k) for sign, E0, intensity in self.lines]
            terms = of_lines + [(sign, np.sum(each * E**-k, axis=-1)) for sign, each in flux]
            even.append(sum(each for _, each in terms))
            odd.append(sum(sign * each for sign, each in terms))
        return even, odd


def parity(component):
    """The sign of what is odd under ν ↔ ν̄."""
    return -1 if component.antineutrino else 1


def nested_quad(experiment, row, m):
    """One template ("SM" or a pair) by scipy's quad inside quad, float64[bins]."""
    edges = np.array(experiment.detector.bins) / 1170.0
    total = np.zeros(len(edges) - 1)
    mass = 0.0 if row == "SM" else m
    for nuclide, number in zip(experiment.detector.target.nuclides, experiment.detector.nuclei, strict=True):
        M, unit = nuclide.mass, unit_amplitudes(nuclide)
        amplitude = unit["M"] ** 2 if row == "SM" else unit[row[0]] * unit[row[1]]
        norm = number * experiment.fluence * MEV2_CM2 * amplitude

        def integrand(T, M=M, nuclide=nuclide):
            c0, c1, c2, parity = powers(M, mass, T)[row]
            E_min = (T * M + mass * mass / 2) / (math.sqrt(T * (T + 2 * M)) - T)
            if E_min >= END:
                return 0.0

            def inner(E):
                y = E / M_MUON
                flux = 192 / M_MUON * y * y * (0.5 - y) + parity * 64 / M_MUON * y * y * (0.75 - y)
                return flux * (c0 + c1 / E + c2 / E**2)

            value = integrate.quad(inner, E_min, END, epsabs=0, epsrel=1e-8)[0]
            if E_min < PION_LINE:
                value += c0 + c1 / PION_LINE + c2 / PION_LINE**2
            return value * acceptance(T) * cf.helm_form_factor(nuclide, T) ** 2

        for b in range(len(total)):
            total[b] += norm * integrate.quad(integrand, edges[b], edges[b + 1], epsabs=0, epsrel=1e-6, limit=20)[0]
    return total


class NumpyScan:
    """CL Eq. (13) on a grid, row by row, with β and α profiled in closed form."""

    def __init__(self, experiment, interaction, couplings):
        made = cf.templates(experiment, interaction, couplings)
        beam = experiment.backgrounds[0]
        data = experiment.observed - beam.counts
        variance = (
            experiment.observed + experiment.steady_state_weight * experiment.steady_state_counts(data) + beam.counts
        )
        column = np.append(beam.uncertainty * beam.counts / np.sqrt(variance), 1.0)
        column /= np.linalg.norm(column)

        def whiten(counts):
            extended = np.append(counts / np.sqrt(variance), 0.0)
            return extended - column * (column @ extended)

        self.variance = experiment.signal_uncertainty**2
        self.data, self.constant = whiten(data), whiten(made.standard_model)
        self.template = {pair: whiten(values) for pair, values in zip(made.pairs, made.values, strict=True)}
        self.couplings = couplings

    def __call__(self, x, y, out):
        a, b = self.couplings
        mixed = self.template.get((a, b), self.template.get((b, a)))
        for i, value in enumerate(x):
            n = self.constant + value**2 * self.template[a, a]
            n = n + np.outer(y, value * mixed) + np.outer(y**2, self.template[b, b])
            s = (self.variance * (n @ self.data) + 1) / (self.variance * np.einsum("ij,ij->i", n, n) + 1)
            residual = self.data - s[:, None] * n
            out[i] = np.einsum("ij,ij->i", residual, residual) + (s - 1) ** 2 / self.variance


class JaxScan:
    """The same χ², of a point, compiled by JAX for a whole grid and for a list of points: jit, vmap, float64.

    `ImportError` without JAX, which is no dependency. XLA is kept to one thread.
    """

    def __init__(self, experiment, interaction, couplings):
        os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")
        import jax

        jax.config.update("jax_enable_x64", True)
        jax.config.update("jax_platforms", "cpu")
        made = NumpyScan(experiment, interaction, couplings)
        a, b = couplings
        mixed = made.template.get((a, b), made.template.get((b, a)))
        vectors = [made.data, made.constant, made.template[a, a], mixed, made.template[b, b]]
        rows = np.linalg.qr(np.array(vectors).T, mode="r").tolist()  # as many components as vectors, whatever the bins
        variance = made.variance

        def chi2(x, y):  # component by component, which XLA fuses into one loop over points
            n = [r[1] + x * x * r[2] + x * y * r[3] + y * y * r[4] for r in rows]
            nd, nn = (sum(v * w for v, w in zip(n, each, strict=True)) for each in ([r[0] for r in rows], n))
            s = (variance * nd + 1) / (variance * nn + 1)
            return sum((r[0] - s * v) ** 2 for r, v in zip(rows, n, strict=True)) + (s - 1) ** 2 / variance

        self._plane = jax.jit(jax.vmap(jax.vmap(chi2, (None, 0)), (0, None)))
        self._points = jax.jit(jax.vmap(chi2))

    def plane(self, x, y):
        """χ²[x, y], when it is there."""
        return self._plane(x, y).block_until_ready()

    def points(self, x, y):
        """χ² of pairs."""
        return self._points(x, y).block_until_ready()


class NumpyDoubleIntegral:
    """Counts of any dσ/dT by Gauss–Legendre in T and E on arrays; it is blind to kinks of the flux."""

    def __init__(self, experiment, dsigma, nodes_T=8, nodes_E=32):
        made = VectorisedNumpy(experiment, nodes_T, nodes_E)
        self.dsigma, self.T, self.factors = dsigma, made.T[..., None], []
        detector = experiment.detector
        accepted = detector.response.accept(detector.response.mean(made.T))
        half = np.diff(made.edges)[:, None] / 2
        _, w = np.polynomial.legendre.leggauss(nodes_T)
        for nuclide, number in zip(detector.target.nuclides, detector.nuclei, strict=True):
            weight = half * w * accepted * number * experiment.fluence * MEV2_CM2
            lowest = np.asarray(cf.minimum_neutrino_energy(made.T, 0.0, nuclide.mass))
            low = np.minimum(lowest, made.end)[..., None]
            half_E = (made.end - low) / 2
            E = low + half_E + half_E * made.x
            flux = sum(half_E * made.w * spectrum(E) for _, spectrum in made.spectra)
            F = cf.helm_form_factor(nuclide, self.T)
            nucleus = SimpleNamespace(M=nuclide.mass, Z=float(nuclide.Z), N=float(nuclide.N), F_p=F, F_n=F)
            lines = [(E0, intensity * (lowest < E0)) for _, E0, intensity in made.lines]
            self.factors.append((nucleus, weight, E, flux, lines))

    def __call__(self, p):
        """float64[bins]"""
        total = 0.0
        for nucleus, weight, E, flux, lines in self.factors:
            value = np.sum(flux * self.dsigma(E, self.T, nucleus, None, p), axis=-1)
            for E0, intensity in lines:
                value += intensity * self.dsigma(E0, self.T, nucleus, None, p)[..., 0]
            total = total + np.sum(weight * value, axis=1)
        return total


def dblquad_bin(experiment, dsigma, p, b):
    """One bin by scipy's dblquad for each nuclide and spectrum, lines by quad, to 1e-6."""
    detector, total = experiment.detector, 0.0
    low, high = (detector.recoil_at(edge, 1.0) for edge in detector.bins[b : b + 2])
    for nuclide, number in zip(detector.target.nuclides, detector.nuclei, strict=True):

        def rate(E, T, nuclide=nuclide):
            F = float(cf.helm_form_factor(nuclide, T))
            nucleus = SimpleNamespace(M=nuclide.mass, Z=nuclide.Z, N=nuclide.N, F_p=F, F_n=F)
            return dsigma(E, T, nucleus, None, p) * acceptance(T)

        def lowest(T, nuclide=nuclide):
            return min(float(cf.minimum_neutrino_energy(T, 0.0, nuclide.mass)), END)

        found = 0.0
        for component in experiment.source.components:
            for E0, intensity in component.lines:
                of_line = partial(rate, E0)
                found += intensity * integrate.quad(of_line, low, high, epsabs=0, epsrel=1e-6)[0]
            if component.spectrum:
                with_flux = lambda E, T, f=component.spectrum, rate=rate: float(f(np.float64(E))) * rate(E, T)  # noqa: E731
                found += integrate.dblquad(with_flux, low, high, lowest, END, epsabs=0, epsrel=1e-6)[0]
        total += number * experiment.fluence * MEV2_CM2 * found
    return total
