/* Nuisances that are no straight lines: factors that multiply the signal or a background, and templates that a
 * background bends between. The expectation is
 *
 *     mu = base + sum_k c_k shift_k + sum_g F_g L_g,    F_g = prod_k f_gk(c_k),
 *
 * over groups: the signal, L_0 = factor N + sum_k c_k P_k, and backgrounds; each L_g may have further terms, constant,
 * linear in a nuisance or bent. What the other files call the response of a nuisance is its derivative here. */
#include "likelihood_types.h"

/* A factor f(c) > 0 and the first two derivatives of its logarithm. */
typedef struct {
    double value, first, second;
} factor;

/* exp(c ln up), or the interpolation of HistFactory (code 4): powers of up and down beyond one standard deviation, and
 * between them the polynomial of degree 6 that joins with two derivatives. */
static factor factor_of(const double *given, double c)
{
    const double *a = given + FACTOR_HEAD;
    if (given[2] == EXPONENTIAL || c >= 1)
        return (factor){exp(c * given[3]), given[3], 0};
    if (c <= -1)
        return (factor){exp(-c * given[4]), -given[4], 0};
    double f = 0, slope = 0, half = 0;
    for (int i = FACTOR_TERMS; i-- > 0;) {
        half = half * c + slope;
        slope = slope * c + f;
        f = f * c + a[i];
    }
    /* 1 + c sum_i a_i c^i */
    half = half * c + slope;
    slope = slope * c + f;
    f = f * c + 1;
    return (factor){f, slope / f, 2 * half / f - slope * slope / (f * f)};
}

/* What multiplies a term's template, with derivatives: 1, c, or |c| made smooth between -1 and 1 (HistFactory 4p). */
static factor coefficient_of(const double *term, const double *c)
{
    if (term[1] < 0)
        return (factor){1, 0, 0};
    double x = c[(size_t)term[1]], y = x * x;
    if (term[2] == STRAIGHT)
        return (factor){x, 1, 0};
    if (y >= 1)
        return (factor){fabs(x), x > 0 ? 1 : -1, 0};
    return (factor){y * (15 + y * (3 * y - 10)) / 8, x * (15 + y * (9 * y - 20)) / 4, 15 * (1 + y * (3 * y - 4)) / 4};
}

/* L_g, its factor, and the derivatives of the factor's logarithm in every nuisance: first[k], second[k]. */
static double gather(const cevns_fast_likelihood *l, const experiment *e, size_t g, const point *at)
{
    double *restrict content = at->content, *first = at->bent, *second = at->bent + l->nuisances, value = 1;
    memset(first, 0, 2 * l->nuisances * sizeof(double));
    memset(content, 0, e->bins * sizeof(double));
    if (g == 0) {
        for (size_t b = 0; b < e->bins; b++)
            content[b] = e->factor * at->signal[e->first_bin + b];
        for (size_t a = 0; a < e->acting; a++) {
            size_t k = e->active[a];
            const double *restrict part = at->part + k * l->bins + e->first_bin, c = at->value[k];
            for (size_t b = 0; (e->scale[k] != 0 || e->morph[k] > 0) && b < e->bins; b++)
                content[b] += c * part[b];
        }
    }
    for (size_t t = 0; t < e->terms; t++) {
        const double *term = e->term + t * (TERM_HEAD + e->bins), *restrict values = term + TERM_HEAD;
        if (term[0] != (double)g)
            continue;
        double weight = coefficient_of(term, at->value).value;
        for (size_t b = 0; b < e->bins; b++)
            content[b] += weight * values[b];
    }
    for (size_t f = 0; f < e->factors; f++) {
        const double *given = e->factor_of + f * FACTOR_SIZE;
        if (given[0] != (double)g)
            continue;
        size_t k = (size_t)given[1];
        factor found = factor_of(given, at->value[k]);
        value *= found.value;
        first[k] += found.first;
        second[k] += found.second;
    }
    return value;
}

void cevns_fast_curve(const cevns_fast_likelihood *l, size_t i, const point *at)
{
    const experiment *e = l->experiment + i;
    double *restrict mu = at->mu + e->first_bin, *lift = at->lift + i * (1 + l->nuisances);
    memcpy(mu, e->base, e->bins * sizeof(double));
    for (size_t a = 0; a < e->acting; a++) {
        size_t k = e->active[a];
        const double *restrict shift = e->shift + k * e->bins, c = at->value[k];
        double *restrict response = at->response + k * l->bins + e->first_bin;
        for (size_t b = 0; b < e->bins; b++) {
            mu[b] += c * shift[b];
            response[b] = shift[b];
        }
    }
    for (size_t g = 0; g <= e->groups; g++) {
        double value = gather(l, e, g, at);
        const double *restrict content = at->content;
        for (size_t b = 0; b < e->bins; b++)
            mu[b] += value * content[b];
        for (size_t a = 0; a < e->acting; a++) {
            size_t k = e->active[a];
            double *restrict response = at->response + k * l->bins + e->first_bin, by = value * at->bent[k];
            const double *restrict part = at->part + k * l->bins + e->first_bin;
            for (size_t b = 0; g == 0 && b < e->bins; b++)
                response[b] += value * part[b];
            for (size_t b = 0; by != 0 && b < e->bins; b++)
                response[b] += by * content[b];
        }
        for (size_t j = 0; j < e->terms; j++) {
            const double *term = e->term + j * (TERM_HEAD + e->bins), *restrict values = term + TERM_HEAD;
            if (term[0] != (double)g || term[1] < 0)
                continue;
            double *restrict response = at->response + (size_t)term[1] * l->bins + e->first_bin;
            double by = value * coefficient_of(term, at->value).first;
            for (size_t b = 0; b < e->bins; b++)
                response[b] += by * values[b];
        }
        if (g == 0) {
            lift[0] = value;
            memcpy(lift + 1, at->bent, l->nuisances * sizeof(double));
        }
    }
}

void cevns_fast_bend(const cevns_fast_likelihood *l, const point *at)
{
    size_t n = l->nuisances;
    double *first = at->bent, *second = first + n, *along = second + n; /* sum_b slope dL/dc_k */
    memset(at->curve, 0, n * n * sizeof(double));
    for (size_t i = 0; i < l->experiments; i++) {
        const experiment *e = l->experiment + i;
        const double *slope = at->slope + e->first_bin;
        for (size_t g = 0; e->curved && g <= e->groups; g++) {
            double value = gather(l, e, g, at), all = dot(e->bins, slope, at->content);
            for (size_t a = 0; a < e->acting; a++) {
                const double *part = at->part + e->active[a] * l->bins + e->first_bin;
                along[e->active[a]] = g == 0 ? dot(e->bins, slope, part) : 0;
            }
            for (size_t j = 0; j < e->terms; j++) {
                const double *term = e->term + j * (TERM_HEAD + e->bins);
                if (term[0] != (double)g || term[1] < 0)
                    continue;
                size_t k = (size_t)term[1];
                double sum = dot(e->bins, slope, term + TERM_HEAD);
                factor by = coefficient_of(term, at->value);
                along[k] += by.first * sum;
                at->curve[k * n + k] += value * by.second * sum;
            }
            for (size_t a = 0; a < e->acting; a++) {
                size_t k = e->active[a];
                at->curve[k * n + k] += value * second[k] * all;
                for (size_t c = 0; c < e->acting; c++) {
                    size_t j = e->active[c];
                    at->curve[k * n + j] +=
                        value * (first[k] * along[j] + first[j] * along[k] + first[k] * first[j] * all);
                }
            }
        }
    }
}
