/* Toys of a likelihood: thrown, and minimised without anything else in between.
 *
 * chi2 has a minimum on either side of zero of each coupling, and more where interference is large. All are in sight of a
 * lattice: rays from zero couplings, with points from where counts begin to change to where they have changed by
 * several standard deviations more than at the truth. On the lattice chi2 is that of Gaussian counts with linear
 * nuisances, exact for most likelihoods, whose vectors are prepared once for all toys. From every local minimum on it
 * that can matter Newton's method goes to the minimum of the likelihood itself. */
#include "toys_plan.h"

/* Solve a = mix (c - offset) for c, by Gauss elimination with pivots. */
static void unmix(const cevns_fast_likelihood *l, double *matrix, double *x)
{
    size_t n = l->nuisances;
    memcpy(matrix, l->mix, n * n * sizeof(double));
    for (size_t i = 0; i < n; i++) {
        size_t pivot = i;
        for (size_t j = i + 1; j < n; j++)
            if (fabs(matrix[j * n + i]) > fabs(matrix[pivot * n + i]))
                pivot = j;
        for (size_t j = 0; j < n; j++) {
            double swapped = matrix[i * n + j];
            matrix[i * n + j] = matrix[pivot * n + j];
            matrix[pivot * n + j] = swapped;
        }
        double swapped = x[i];
        x[i] = x[pivot];
        x[pivot] = swapped;
        for (size_t j = i + 1; j < n; j++) {
            double ratio = matrix[j * n + i] / matrix[i * n + i];
            for (size_t k = i; k < n; k++)
                matrix[j * n + k] -= ratio * matrix[i * n + k];
            x[j] -= ratio * x[i];
        }
    }
    for (size_t i = n; i-- > 0;) {
        for (size_t j = i + 1; j < n; j++)
            x[i] -= matrix[i * n + j] * x[j];
        x[i] /= matrix[i * n + i];
    }
}

void cevns_fast_toys_run(toy_plan *p, size_t first, size_t n, double *out, double *best)
{
    cevns_fast_likelihood *l = &p->likelihood;
    size_t size = l->parameters;
    double *place = p->scratch + l->nuisances * l->nuisances, *there = place + size;
    for (size_t i = 0; i < n; i++) {
        double hidden = toys_throw(p, first + i);
        for (size_t b = 0; b < l->experiments; b++) {
            const experiment *e = l->experiment + b;
            for (size_t j = e->first_bin; j < e->first_bin + e->bins; j++) {
                double off = e->statistic == POISSON && isfinite(e->off_on_ratio) ? p->weight[j] / e->off_on_ratio : 0;
                p->residual[j] = p->data[j] - off - p->gradient[size + j];
            }
        }
        memcpy(place, p->toys.theta, size * sizeof(double));
        double least = toys_lowest(p, &p->all, NULL, place);
        if (p->none_fixed)
            out[i] = least + hidden;
        else {
            memcpy(there, p->toys.theta, size * sizeof(double));
            double fixed = p->searched ? toys_lowest(p, &p->some, p->toys.fixed, there) : toys_polish(p, there, p->toys.fixed);
            out[i] = fmax(0, fixed - least);
            if (fixed < least) {
                least = fixed;
                memcpy(place, there, size * sizeof(double));
            }
        }
        if (best)
            memcpy(best + i * size, place, size * sizeof(double));
    }
}

void cevns_fast_toys_close(toy_plan *p)
{
    if (!p)
        return;
    free(p->all.theta);
    free(p->all.beside);
    free(p->some.theta);
    free(p->some.beside);
    free(p->room);
    free(p->experiments);
    free(p->is_free);
    free(p);
}

toy_plan *cevns_fast_toys_plan(const cevns_fast_likelihood *from, const struct toys *toys)
{
    toy_plan *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    size_t n = from->parameters, k = from->nuisances, bins = from->bins;
    size_t most = toys->directions > 2 ? toys->directions : 2;
    size_t points = MASSES * (toys_most_rays(from->couplings, most) * (toys->radii + FAR) + 1) + 1;
    p->experiments = malloc((from->experiments + 1) * sizeof(experiment));
    p->is_free = malloc((n + 1) * sizeof(int));
    p->room = calloc(from->workspace + 5 * bins + points + 2 * n * n + 8 * n + 3 * k + 3 * k * k + bins + 8,
                     sizeof(double));
    if (!p->experiments || !p->is_free || !p->room) {
        cevns_fast_toys_close(p);
        return NULL;
    }
    p->toys = *toys;
    p->likelihood = *from;
    p->likelihood.experiment = p->experiments;
    double *next = p->room;
    cevns_fast_place(from, next, &p->at);
    next += from->workspace;
    p->data = next, next += bins;
    p->weight = next, next += bins;
    p->residual = next, next += bins;
    p->shifted = next, next += bins;
    p->centre = next, next += k;
    p->delta = next, next += k;
    p->truth = next, next += k;
    p->shifts = next, next += k * k;
    p->best = next, next += n;
    p->try = next, next += n;
    p->step = next, next += n;
    p->hessian = next, next += n * n;
    p->matrix = next, next += n * n;
    p->gradient = next, next += n + bins; /* behind it: mu at the truth */
    p->value = next, next += points;
    p->scratch = next;
    for (size_t i = 0; i < from->experiments; i++) {
        p->experiments[i] = from->experiment[i];
        experiment *e = p->experiments + i;
        memcpy(p->weight + e->first_bin, e->weight, e->bins * sizeof(double));
        e->data = p->data + e->first_bin;
        e->weight = p->weight + e->first_bin;
    }
    p->likelihood.centre = p->centre;
    /* The inverse of mix, column by column, and c at the truth. */
    for (size_t c = 0; c < k; c++) {
        memset(p->truth, 0, k * sizeof(double));
        p->truth[c] = 1;
        unmix(from, p->scratch, p->truth);
        for (size_t i = 0; i < k; i++)
            p->shifts[i * k + c] = p->truth[i];
    }
    memcpy(p->truth, toys->pull, k * sizeof(double));
    unmix(from, p->scratch, p->truth);
    for (size_t i = 0; i < k; i++)
        p->truth[i] += from->offset[i];
    double *mu = p->gradient + n;
    toys_predict(p, toys->theta, p->residual);
    memcpy(mu, p->at.mu, bins * sizeof(double));
    p->none_fixed = 1;
    for (size_t i = 0; i < n; i++)
        p->none_fixed &= !toys->fixed[i];
    for (size_t c = 0; c < from->couplings; c++)
        p->searched |= !toys->fixed[from->coupling_at[c]];
    p->searched |= from->x_at != NONE && !toys->fixed[from->x_at];
    p->searched &= !p->none_fixed;
    if (!toys_build(p, &p->all, NULL, mu) || (p->searched && !toys_build(p, &p->some, toys->fixed, mu))) {
        cevns_fast_toys_close(p);
        return NULL;
    }
    return p;
}
