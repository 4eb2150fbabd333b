/* Exact derivatives of the profiled chi2. */
#include "likelihood_types.h"

/* Monomial m without its factors f and g (none if they are not its own), each of which gives its derivative. */
static double monomial(const cevns_fast_likelihood *l, const double *theta, size_t m, size_t f, size_t g)
{
    double value = 1;
    for (size_t i = l->first_factor[m]; i < l->first_factor[m + 1]; i++) {
        double z = theta[l->coupling_at[l->factor[i]]];
        value *= power_of(z, (int)l->power[i], (i == f) + (i == g));
    }
    return value;
}

/* The slopes of the losses in N at fixed mu: the variance may follow N. */
static void slopes_n(const cevns_fast_likelihood *l, const point *at)
{
    memset(at->slope_n, 0, l->bins * sizeof(double));
    for (size_t i = 0; i < l->experiments; i++) {
        const experiment *e = l->experiment + i;
        for (size_t b = 0, j = e->first_bin; e->statistic == PREDICTED_VARIANCE && b < e->bins; b++, j++) {
            double growth = 1 + 2 * e->shape_variance * (at->signal[j] + e->background[b]);
            at->slope_n[j] = -0.25 * at->slope[j] * at->slope[j] * growth;
        }
    }
}

/* What curves multiply the signal of experiment i by. */
static double lift_of(const cevns_fast_likelihood *l, size_t i, const point *at)
{
    return l->experiment[i].curved ? at->lift[i * (1 + l->nuisances)] : 1;
}

/* d mu / d N at fixed nuisances, of one experiment. */
static double growth_of(const cevns_fast_likelihood *l, size_t i, const point *at)
{
    const experiment *e = l->experiment + i;
    double growth = e->factor;
    for (size_t k = 0; k < l->nuisances; k++)
        growth += e->scale[k] * at->solved[k];
    return growth * lift_of(l, i, at);
}

/* out[m] = d chi2 / d (coefficient m of every table), contracted with the tables of a derivative in x. */
static void contract(const cevns_fast_likelihood *l, const double *table, const point *at, double *out)
{
    memset(out, 0, l->monomials * sizeof(double));
    for (size_t i = 0; i < l->experiments; i++) {
        const experiment *e = l->experiment + i;
        size_t n = l->monomials * e->bins;
        const double *slope = at->slope + e->first_bin, *slope_n = at->slope_n + e->first_bin;
        double growth = growth_of(l, i, at);
        for (size_t m = 0; m < l->monomials; m++)
            for (size_t b = 0; b < e->bins; b++)
                out[m] += (growth * slope[b] + slope_n[b]) * table[m * e->bins + b];
        for (size_t k = 0; k < l->nuisances; k++)
            if (e->morph[k] > 0) {
                const double *morph = table + (size_t)e->morph[k] * n, pull = at->pull[k] * lift_of(l, i, at);
                for (size_t m = 0; m < l->monomials; m++)
                    for (size_t b = 0; b < e->bins; b++)
                        out[m] += pull * slope[b] * morph[m * e->bins + b];
            }
        table += e->tables * n;
    }
}

/* The profiled nuisances are at their minimum, so that only what is explicit counts. */
void cevns_fast_differentiate(const cevns_fast_likelihood *l, const double *theta, const point *at, double *gradient)
{
    slopes_n(l, at);
    double *by_monomial = at->rest;
    memset(gradient, 0, l->parameters * sizeof(double));
    contract(l, at->table[0], at, by_monomial);
    for (size_t m = 0; m < l->monomials; m++)
        for (size_t f = l->first_factor[m]; f < l->first_factor[m + 1]; f++)
            gradient[l->coupling_at[l->factor[f]]] += monomial(l, theta, m, f, NONE) * by_monomial[m];
    if (l->x_at != NONE) {
        contract(l, at->table[1], at, by_monomial);
        gradient[l->x_at] = dot(l->monomials, at->monomial, by_monomial);
    }
    for (size_t k = 0; k < l->nuisances; k++)
        if (!is_profiled(l, k, 0))
            gradient[l->nuisance_at[k]] =
                dot(l->bins, at->slope, at->response + k * l->bins) + 2 * cevns_fast_tension(l, k, at);
}

/* d N and d mu in one direction of the space of monomials: weights of the tables of a derivative in x. */
static void move(const cevns_fast_likelihood *l, const double *weight, const double *table, const point *at,
                 double *scratch, double *signal, double *mu)
{
    for (size_t i = 0; i < l->experiments; i++) {
        const experiment *e = l->experiment + i;
        size_t n = l->monomials * e->bins;
        double growth = growth_of(l, i, at), *mine = signal + e->first_bin;
        combine(l->monomials, e->bins, weight, table, mine);
        for (size_t b = 0; b < e->bins; b++)
            mu[e->first_bin + b] = growth * mine[b];
        for (size_t k = 0; k < l->nuisances; k++)
            if (e->morph[k] > 0) {
                combine(l->monomials, e->bins, weight, table + (size_t)e->morph[k] * n, scratch);
                const double pull = at->pull[k] * lift_of(l, i, at);
                for (size_t b = 0; b < e->bins; b++)
                    mu[e->first_bin + b] += pull * scratch[b];
            }
        table += e->tables * n;
    }
}

/* sum_b slope d^2 mu / (d a_k d direction), for the d N and d mu of `move` */
static double mixed(const cevns_fast_likelihood *l, size_t k, const double *weight, const double *table,
                    const double *signal, const double *mu, const point *at, double *scratch)
{
    double sum = 0;
    for (size_t i = 0; i < l->experiments; i++) {
        const experiment *e = l->experiment + i;
        size_t n = l->monomials * e->bins;
        double lift = lift_of(l, i, at);
        if (e->scale[k] != 0)
            sum += lift * e->scale[k] * dot(e->bins, at->slope + e->first_bin, signal + e->first_bin);
        if (e->morph[k] > 0) {
            combine(l->monomials, e->bins, weight, table + (size_t)e->morph[k] * n, scratch);
            sum += lift * dot(e->bins, at->slope + e->first_bin, scratch);
        }
        if (e->curved)
            sum += at->lift[i * (1 + l->nuisances) + 1 + k] * dot(e->bins, at->slope + e->first_bin, mu + e->first_bin);
        table += e->tables * n;
    }
    return sum;
}

/* Weights of the monomials whose sum is d(signal)/d(coupling). */
static void direction(const cevns_fast_likelihood *l, const double *theta, size_t coupling, double *weight)
{
    for (size_t m = 0; m < l->monomials; m++) {
        weight[m] = 0;
        for (size_t f = l->first_factor[m]; f < l->first_factor[m + 1]; f++)
            if (l->factor[f] == coupling)
                weight[m] = monomial(l, theta, m, f, NONE);
    }
}

/* Second derivatives of the loss of bin j: in mu and N, and in N twice. */
static void curvatures(const experiment *e, const point *at, size_t j, double *mixed_n, double *twice_n)
{
    *mixed_n = *twice_n = 0;
    if (e->statistic != PREDICTED_VARIANCE)
        return;
    size_t b = j - e->first_bin;
    double r = e->data[b] - at->mu[j], w = at->weight[j];
    double growth = 1 + 2 * e->shape_variance * (at->signal[j] + e->background[b]);
    *mixed_n = 2 * r * w * w * growth;
    *twice_n = 2 * r * r * w * w * (w * growth * growth - e->shape_variance);
}

/* Rows and columns: the parameters in their order, then the profiled nuisances, which are eliminated. */
static size_t row_of(const cevns_fast_likelihood *l, size_t nuisance)
{
    size_t row = l->parameters;
    for (size_t k = 0; k < nuisance; k++)
        row += l->nuisance_at[k] == NONE;
    return l->nuisance_at[nuisance] == NONE ? row : l->nuisance_at[nuisance];
}

/* What curvatures of the losses of experiment i add: in the rows of couplings, of x and of what acts on it. */
static void bend_losses(const cevns_fast_likelihood *l, size_t i, const point *at, size_t all, const double *mu,
                        const double *signal, double *scratch, double *full)
{
    const experiment *e = l->experiment + i;
    double *restrict by_mu = scratch, *restrict by_n = scratch + l->bins, *moves = full + all * all;
    for (size_t row = 0; row < all; row++)
        moves[row] = 0;
    for (size_t c = 0; c < l->couplings; c++)
        moves[l->coupling_at[c]] = 1;
    if (l->x_at != NONE)
        moves[l->x_at] = 1;
    for (size_t a = 0; a < e->acting; a++)
        moves[row_of(l, e->active[a])] = 1;
    for (size_t row = 0; row < all; row++) {
        if (moves[row] == 0)
            continue;
        const double *restrict m = mu + row * l->bins + e->first_bin, *restrict n = signal + row * l->bins + e->first_bin;
        const double *restrict weight = at->weight + e->first_bin;
        int predicted = e->statistic == PREDICTED_VARIANCE;
        for (size_t b = 0; b < e->bins; b++)
            by_mu[b] = 2 * weight[b] * m[b];
        for (size_t b = 0; predicted && b < e->bins; b++) {
            double mixed_n, twice_n;
            curvatures(e, at, e->first_bin + b, &mixed_n, &twice_n);
            by_mu[b] += mixed_n * n[b];
            by_n[b] = mixed_n * m[b] + twice_n * n[b];
        }
        for (size_t column = 0; column <= row; column++) {
            if (moves[column] == 0)
                continue;
            double sum = dot(e->bins, by_mu, mu + column * l->bins + e->first_bin);
            if (predicted)
                sum += dot(e->bins, by_n, signal + column * l->bins + e->first_bin);
            full[row * all + column] += sum;
            if (column < row)
                full[column * all + row] += sum;
        }
    }
}

void cevns_fast_differentiate_twice(const cevns_fast_likelihood *l, const double *theta, const point *at,
                                    double *hessian)
{
    slopes_n(l, at);
    size_t p = l->parameters, all = p + l->profiled, bins = l->bins;
    double *by_monomial = at->rest, *weight = by_monomial + l->monomials, *other = weight + l->monomials;
    double *scratch = other + l->monomials, *mu = scratch + 2 * bins, *signal = mu + all * bins;
    double *full = signal + all * bins;
    memset(mu, 0, 2 * all * bins * sizeof(double));
    memset(full, 0, all * all * sizeof(double));
    for (size_t c = 0; c < l->couplings; c++) {
        size_t row = l->coupling_at[c];
        direction(l, theta, c, weight);
        move(l, weight, at->table[0], at, scratch, signal + row * bins, mu + row * bins);
    }
    if (l->x_at != NONE) {
        size_t row = l->x_at;
        move(l, at->monomial, at->table[1], at, scratch, signal + row * bins, mu + row * bins);
    }
    if (l->bends)
        cevns_fast_bend(l, at);
    for (size_t k = 0; k < l->nuisances; k++) {
        size_t row = row_of(l, k);
        memcpy(mu + row * bins, at->response + k * bins, bins * sizeof(double));
        for (size_t j = 0; j < l->nuisances; j++)
            full[row * all + row_of(l, j)] =
                2 * l->prior[k * l->nuisances + j] + (l->bends ? at->curve[k * l->nuisances + j] : 0);
        for (size_t c = 0; c < l->couplings; c++) {
            size_t column = l->coupling_at[c];
            direction(l, theta, c, weight);
            full[row * all + column] = full[column * all + row] =
                mixed(l, k, weight, at->table[0], signal + column * bins, mu + column * bins, at, scratch);
        }
        if (l->x_at != NONE) {
            size_t column = l->x_at;
            full[row * all + column] = full[column * all + row] =
                mixed(l, k, at->monomial, at->table[1], signal + column * bins, mu + column * bins, at, scratch);
        }
    }
    /* What is bent in the space of signals: monomials, and their coefficients in x. */
    contract(l, at->table[0], at, by_monomial);
    for (size_t m = 0; m < l->monomials; m++)
        for (size_t f = l->first_factor[m]; f < l->first_factor[m + 1]; f++)
            for (size_t g = l->first_factor[m]; g < l->first_factor[m + 1]; g++) {
                size_t row = l->coupling_at[l->factor[f]];
                size_t column = l->coupling_at[l->factor[g]];
                full[row * all + column] += monomial(l, theta, m, f, g) * by_monomial[m];
            }
    if (l->x_at != NONE) {
        size_t row = l->x_at;
        contract(l, at->table[1], at, by_monomial);
        for (size_t c = 0; c < l->couplings; c++) {
            size_t column = l->coupling_at[c];
            direction(l, theta, c, weight);
            double value = dot(l->monomials, weight, by_monomial);
            full[row * all + column] += value;
            full[column * all + row] += value;
        }
        contract(l, at->table[2], at, by_monomial);
        full[row * all + row] += dot(l->monomials, at->monomial, by_monomial);
    }
    for (size_t i = 0; i < l->experiments; i++)
        bend_losses(l, i, at, all, mu, signal, scratch, full);
    /* Gauss elimination of the profiled nuisances, last first: their block is positive definite, but for those that
     * are free and that nothing depends on. */
    for (size_t k = all; k-- > p;)
        for (size_t row = 0; full[k * all + k] != 0 && row < k; row++) {
            double ratio = full[row * all + k] / full[k * all + k];
            for (size_t column = 0; column < k; column++)
                full[row * all + column] -= ratio * full[k * all + column];
        }
    for (size_t row = 0; row < p; row++)
        for (size_t column = 0; column < p; column++) /* symmetric to the last bit */
            hessian[row * p + column] = 0.5 * (full[row * all + column] + full[column * all + row]);
}
