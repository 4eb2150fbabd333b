/* chi2 of a toy on the lattice: that of Gaussian counts with linear nuisances, exact for most likelihoods, whose vectors
 * are prepared once for all toys. */
#include "toys_plan.h"

/* Square roots of the weights that Gaussian counts would have. */
static void weigh_roughly(const toy_plan *p, double *weight)
{
    const cevns_fast_likelihood *l = &p->likelihood;
    for (size_t i = 0; i < l->experiments; i++) {
        const experiment *e = l->experiment + i;
        for (size_t b = 0, j = e->first_bin; b < e->bins; b++, j++) {
            double n = p->at.signal[j], shape = n + e->background[b], on = p->toys.mean[j];
            double variance = 1 / e->weight[b];
            if (e->statistic == PREDICTED_VARIANCE)
                variance = n + p->weight[j] + e->shape_variance * shape * shape;
            else if (e->statistic == POISSON)
                variance = fmax(on, 0.5) + p->toys.spread[j] / (e->off_on_ratio * e->off_on_ratio);
            weight[j] = variance > 0 ? 1 / sqrt(variance) : 0;
        }
    }
}

/* mu and responses to a_k at theta, with nuisances at the truth; sqrt(w). */
void toys_predict(toy_plan *p, const double *theta, double *weight)
{
    cevns_fast_likelihood *l = &p->likelihood;
    memcpy(p->at.solved, p->truth, l->nuisances * sizeof(double));
    for (size_t k = 0; k < l->nuisances; k++)
        if (l->nuisance_at[k] != NONE)
            p->at.solved[k] = theta[l->nuisance_at[k]];
    cevns_fast_predict(l, theta, &p->at);
    weigh_roughly(p, weight);
}

/* What screens a toy at lattice point g: the residual r, sqrt(w) (data - mu), and auxiliary measurements delta from the
 * pulls of the truth cost |r|^2 + |delta|^2 - |U r + V delta|^2, minimised over nuisances. U = L^-1 R, V = L^-1 for
 * 1 + R R^T = L L^T, with responses R[nuisances][bins] times sqrt(w). */
void toys_prepare(toy_plan *p, lattice *grid, const int *fixed, size_t g, const double *mu0)
{
    const cevns_fast_likelihood *l = &p->likelihood;
    size_t n = l->nuisances, bins = l->bins, m = 0;
    double *theta = grid->theta + g * l->parameters, *weight = grid->weight + g * bins;
    double *moved = grid->moved + g * bins, *U = grid->project + g * grid->nuisances * bins;
    double *V = grid->pulled + g * grid->nuisances * n, *gram = p->scratch;
    toys_predict(p, theta, weight);
    for (size_t j = 0; j < bins; j++)
        moved[j] = weight[j] * (p->at.mu[j] - mu0[j]);
    memset(V, 0, grid->nuisances * n * sizeof(double));
    for (size_t k = 0; k < n; k++) { /* responses to a_k: those to c, times the inverse of mix, in `shifts` */
        if (fixed && l->nuisance_at[k] != NONE && fixed[l->nuisance_at[k]])
            continue;
        for (size_t j = 0; j < bins; j++) {
            double sum = 0;
            for (size_t c = 0; c < n; c++)
                sum += p->at.response[c * bins + j] * p->shifts[c * n + k];
            U[m * bins + j] = weight[j] * sum;
        }
        V[m * n + k] = l->strength[k];
        m++;
    }
    for (size_t k = 0, active = 0; k < n; k++) {
        if (fixed && l->nuisance_at[k] != NONE && fixed[l->nuisance_at[k]])
            continue;
        for (size_t j = 0; j <= active; j++)
            gram[active * n + j] = dot(bins, U + active * bins, U + j * bins);
        gram[active * n + active] += l->strength[k] > 0 ? 1 : 1e-12;
        active++;
    }
    for (size_t k = 0; k < m; k++) { /* Cholesky, applied to the rows of U and V as it goes */
        for (size_t j = 0; j < k; j++) {
            for (size_t i = 0; i < j; i++)
                gram[k * n + j] -= gram[k * n + i] * gram[j * n + i];
            gram[k * n + j] /= gram[j * n + j];
            double factor = gram[k * n + j];
            for (size_t b = 0; b < bins; b++)
                U[k * bins + b] -= factor * U[j * bins + b];
            for (size_t i = 0; i < n; i++)
                V[k * n + i] -= factor * V[j * n + i];
        }
        for (size_t i = 0; i < k; i++)
            gram[k * n + k] -= gram[k * n + i] * gram[k * n + i];
        double root = gram[k * n + k] = sqrt(fmax(gram[k * n + k], 1e-300));
        for (size_t b = 0; b < bins; b++)
            U[k * bins + b] /= root;
        for (size_t i = 0; i < n; i++)
            V[k * n + i] /= root;
    }
    for (size_t k = 0; k < m; k++)
        grid->constant[g * grid->nuisances + k] = dot(bins, U + k * bins, moved);
}

/* chi2 that Gaussian counts have at a lattice point, but for a constant. */
double toys_screen(const toy_plan *p, const lattice *grid, size_t g)
{
    const cevns_fast_likelihood *l = &p->likelihood;
    size_t n = l->nuisances, m = grid->nuisances, bins = l->bins;
    const double *restrict weight = grid->weight + g * bins, *restrict moved = grid->moved + g * bins;
    double *restrict rest = p->shifted;
    for (size_t j = 0; j < bins; j++)
        rest[j] = weight[j] * p->residual[j] - moved[j];
    double value = dot(bins, rest, rest);
    for (size_t k = 0; k < m; k++) {
        double x = dot(bins, grid->project + (g * m + k) * bins, rest) +
                   dot(n, grid->pulled + (g * m + k) * n, p->delta);
        value -= x * x;
    }
    return value;
}
