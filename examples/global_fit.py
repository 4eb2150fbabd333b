"""A global fit: two experiments, one beam, three couplings of a new fermion; Minuit and emcee against a grid.

    python examples/global_fit.py

COHERENT's CsI data and the projected liquid argon detector share the uncertainty of the SNS flux. All four nuisances
are parameters beside m_chi, C_S, a_M and C_T. After the global minimum, the 90% region of C_S and a_M at m_chi = 20 MeV
and C_T = 0 is found in two independent ways, each of which a grid of χ² checks:

- Minuit traces Δχ² = 4.61 and minimises over the nuisances itself. The grid has them profiled by the kernel.
- emcee samples couplings and nuisances with flat priors on the couplings; its smallest region that holds 90% of the
  samples is a count of histogram bins. The grid has the nuisances integrated: at fixed couplings χ² is quadratic in
  them, so the integral is exp(−χ²/2) of the profiled χ² over the square root of the determinant of the Hessian.

The two regions differ: one is of likelihood ratios, the other of posterior mass.
"""

from dataclasses import dataclass

import emcee
import numpy as np
from iminuit import Minuit

import cevns_fast as cf

PLANE = {"C_S": 0.0095, "a_M": 2.4e-4}  # half widths of a box around the regions
WALKERS, STEPS, BURN_IN = 400, 7_000, 500
BINS = 50  # with fewer, bins are too coarse (+2% at 30); with more, noise selects the full ones (-2% at 120)
LEVEL = 4.605170185988092  # of two parameters at 90%


def experiments():
    """CsI and argon, their signal uncertainty without the 10% of the flux, and the flux."""
    csi = cf.load("coherent-csi-2017").replace(signal_uncertainty=np.sqrt(0.28**2 - 0.10**2))
    lar = cf.load("coherent-lar-610kg").replace(signal_uncertainty=np.sqrt(0.175**2 - 0.10**2))
    return [csi, lar], [cf.ScaleNuisance("SNS flux", 0.10)]


def likelihood(model, parameters, *, explicit):
    """χ² of these parameters, and of all nuisances if they are explicit."""
    measured, shared = experiments()
    names = cf.Likelihood(measured, nuisances=shared).nuisance_names if explicit else ()
    return cf.Likelihood(measured, nuisances=shared, model=model, parameters=(*parameters, *names))


def global_minimum():
    """The best of a few descents in all eight parameters."""
    fit = likelihood(cf.SingletEFT, ("m_chi", *PLANE, "C_T"), explicit=True)
    cost = cf.minuit_cost(fit)
    minima = [Minuit(cost, *start).migrad() for start in cf.starting_points(fit, 5, seed=1)]
    return min(minima, key=lambda each: each.fval)


@dataclass
class Grid:
    """χ² over the plane, profiled, and the posterior with flat priors, normalised to its sum."""

    cell: float
    x: np.ndarray
    y: np.ndarray
    delta_chi2: np.ndarray
    posterior: np.ndarray

    @classmethod
    def of(cls, n=401):
        """n × n points, in the middle of their cells."""
        x, y = (half * (2 * np.arange(n) + 1 - n) / n for half in PLANE.values())
        points = np.stack(np.meshgrid(x, y, indexing="ij"), axis=-1).reshape(-1, 2)
        chi2 = likelihood(cf.SingletEFT(20.0), PLANE, explicit=False).batch(points).reshape(n, n)
        explicit = likelihood(cf.SingletEFT(20.0), PLANE, explicit=True)
        nothing = np.zeros(len(explicit.nuisance_names))
        # The Hessian in the nuisances is smooth and the same wherever they are: every tenth point will do.
        coarse = slice(None, None, 10)
        hessians = [[explicit.hessian([a, b, *nothing])[2:, 2:] for b in y[coarse]] for a in x[coarse]]
        volume = -0.5 * np.linalg.slogdet(np.array(hessians)).logabsdet
        volume = np.array([np.interp(y, y[coarse], row) for row in volume])
        volume = np.array([np.interp(x, x[coarse], column) for column in volume.T]).T
        log_posterior = volume - 0.5 * chi2
        posterior = np.exp(log_posterior - log_posterior.max())
        cell = (x[1] - x[0]) * (y[1] - y[0])
        return cls(cell, x, y, chi2 - chi2.min(), posterior / posterior.sum())

    def likelihood_area(self):
        """Where Δχ² is below the level."""
        return self.cell * np.sum(self.delta_chi2 <= LEVEL)

    def credible(self, mass=0.90):
        """Which points are in the smallest region of so much posterior."""
        order = np.argsort(self.posterior, axis=None)[::-1]
        kept = np.cumsum(self.posterior.ravel()[order]) <= mass
        region = np.zeros(self.posterior.size, dtype=bool)
        region[order[kept]] = True
        return region.reshape(self.posterior.shape)

    def credible_area(self):
        return self.cell * self.credible().sum()

    def holds(self, samples):
        """The fraction of the samples in the credible region."""
        place = []
        for axis, values in zip((self.x, self.y), samples.T, strict=True):
            index = np.rint((values - axis[0]) / (axis[1] - axis[0])).astype(int)
            place.append(np.clip(index, 0, axis.size - 1))
        return self.credible()[tuple(place)].mean()


def polygon_area(points):
    """Enclosed by a closed line."""
    x, y = np.asarray(points).T
    return 0.5 * abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))


def minuit_area(size=100):
    """Of Minuit's contour, which minimises over the nuisances at each of its points."""
    fit = likelihood(cf.SingletEFT(20.0), PLANE, explicit=True)
    minuit = Minuit(cf.minuit_cost(fit), *cf.starting_points(fit, 1, seed=2)[0])
    minuit.strategy = 2
    minuit.migrad()
    return polygon_area(minuit.mncontour("C_S", "a_M", cl=0.90, size=size, experimental=True))


def emcee_samples(seed=3):
    """Samples of the plane, nuisances forgotten, and how many independent ones they are worth."""
    fit = likelihood(cf.SingletEFT(20.0), PLANE, explicit=True)
    sampler = emcee.EnsembleSampler(
        WALKERS, len(fit.parameters), fit.log_likelihood, vectorize=True, moves=emcee.moves.DEMove()
    )
    sampler.random_state = np.random.RandomState(seed).get_state()
    sampler.run_mcmc(cf.starting_points(fit, WALKERS, seed=seed), STEPS)
    times = sampler.get_autocorr_time(discard=BURN_IN)[: len(PLANE)]
    samples = sampler.get_chain(discard=BURN_IN, flat=True)[:, : len(PLANE)]
    return samples, len(samples) / times.max()


def histogram_area(samples, mass=0.90):
    """Of the fewest bins that hold so much of the samples; the last one counts in part."""
    ranges = [(-half, half) for half in PLANE.values()]
    counts = np.histogram2d(*samples.T, bins=BINS, range=ranges)[0]
    falling = np.sort(counts, axis=None)[::-1] / len(samples)
    bins = np.interp(mass, np.cumsum(falling), np.arange(1, falling.size + 1))
    return bins * np.prod([2 * half / BINS for half in PLANE.values()])


def main():
    """Everything, as a dict of numbers."""
    best = global_minimum()
    print(f"global minimum: chi2 = {best.fval:.3f} with {best.ndof:g} degrees of freedom at")
    for name, value in zip(best.parameters, best.values, strict=True):
        print(f"  {name:40} {value: .4g}")
    grid = Grid.of()
    samples, independent = emcee_samples()
    found = {
        "likelihood region, grid": grid.likelihood_area(),
        "likelihood region, Minuit": minuit_area(),
        "credible region, grid": grid.credible_area(),
        "credible region, emcee": histogram_area(samples),
    }
    print(f"\n90% regions of C_S and a_M at m_chi = 20 MeV, C_T = 0; {independent:.0f} independent samples")
    for name, area in found.items():
        print(f"  {name:40} {area:.4e}")
    found["samples in the grid's credible region"] = grid.holds(samples)
    print(f"  {[*found][-1]:40} {grid.holds(samples):.4f}")
    return {**found, "independent samples": independent, "chi2": best.fval}


if __name__ == "__main__":
    main()
