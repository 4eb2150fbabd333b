/* chi2 of counts that are polynomials in couplings, profiled over nuisances; with exact derivatives.
 *
 * Signal counts are N = sum_m z^m t_m(x): monomials of couplings z, with coefficients that may be piecewise
 * polynomials in one more parameter x, such as m_chi. Nuisances c_k move the expectation
 *
 *     mu = factor N + base + sum_k c_k P_k,     P_k = scale_k N + shift_k + sum_m z^m morph_km(x),
 *
 * and cost sum_k (a_k - centre_k)^2, where a = mix (c - offset) are those in standard deviations. The loss of a bin is
 * convex in mu, so that Newton's method finds the profiled nuisances; it is quadratic, so that one step from zero is
 * exact, except for Poisson counts.
 *
 * Most c_k are the a_k themselves. But one that scales an experiment's signal may be solved for as 1 + alpha, all
 * nuisances that scale this signal together (factor = 0): mu then has no difference of large numbers however large
 * a coupling is. */
#include "likelihood_types.h"

double cevns_fast_work_of(const cevns_fast_likelihood *l)
{
    double monomials = (double)l->monomials, outputs = (double)l->outputs;
    double k = (double)l->nuisances, b = (double)l->bins, all = (double)l->parameters + k;
    double rest = 3 * monomials + b * (2 + 2 * all) + all * all + all;
    double curves = l->curved ? b * (1 + k) + k * (4 + k) + (double)l->experiments * (1 + k) : 0;
    return monomials + 3 * outputs + b * (7 + k) + 4 * k + k * k + curves + rest;
}

void cevns_fast_place(const cevns_fast_likelihood *l, double *work, point *at)
{
    size_t k = l->nuisances, b = l->bins;
    at->monomial = work;
    work += l->monomials;
    for (int d = 0; d < 3; d++, work += l->outputs)
        at->table[d] = work;
    at->signal = work;
    at->fixed = work + b;
    at->mu = work + 2 * b;
    at->weight = work + 3 * b;
    at->slope = work + 4 * b;
    at->slope_n = work + 5 * b;
    at->before = work + 6 * b;
    work += 7 * b;
    at->response = work;
    work += k * b;
    at->pull = work;
    at->excess = work + k;
    at->solved = work + 2 * k;
    at->step = work + 3 * k;
    at->gram = work + 4 * k;
    work = at->gram + k * k;
    at->value = work;
    at->bent = work + k;
    at->curve = work + 4 * k;
    at->content = at->curve + k * k;
    at->part = at->content + b;
    at->lift = at->part + k * b;
    at->rest = l->curved ? at->lift + l->experiments * (1 + k) : work;
    at->x = NAN;
    at->warm = 0;
}

double cevns_fast_hessian(const cevns_fast_likelihood *l, const double *theta, size_t n, double *gradient,
                          double *hessian)
{
    double own[ON_STACK], *work = room(l, own), value = INFINITY;
    point at;
    if (work) {
        cevns_fast_place(l, work, &at);
        value = cevns_fast_evaluate(l, theta, n, hessian ? 2 : gradient ? 1 : 0, &at);
    }
    if (isinf(value)) {
        fill_nan(gradient, n);
        fill_nan(hessian, n * n);
    } else {
        if (gradient)
            cevns_fast_differentiate(l, theta, &at, gradient);
        if (hessian)
            cevns_fast_differentiate_twice(l, theta, &at, hessian);
    }
    leave(work, own);
    return value;
}

double cevns_fast_chi2(const cevns_fast_likelihood *l, const double *theta, size_t n, double *gradient)
{
    return cevns_fast_hessian(l, theta, n, gradient, NULL);
}

double cevns_fast_pulls(const cevns_fast_likelihood *l, const double *theta, size_t n, double *pulls)
{
    double own[ON_STACK], *work = room(l, own), value = INFINITY;
    point at;
    if (work) {
        cevns_fast_place(l, work, &at);
        value = cevns_fast_evaluate(l, theta, n, 0, &at);
    }
    if (isinf(value))
        fill_nan(pulls, l->nuisances);
    else
        memcpy(pulls, at.pull, l->nuisances * sizeof(double));
    leave(work, own);
    return value;
}

double cevns_fast_counts(const cevns_fast_likelihood *l, const double *theta, size_t n, double *signal,
                         double *expectation)
{
    double own[ON_STACK], *work = room(l, own), value = INFINITY;
    point at;
    if (work) {
        cevns_fast_place(l, work, &at);
        value = cevns_fast_evaluate(l, theta, n, 0, &at);
    }
    if (work && is_inside(l, theta, n)) {
        memcpy(signal, at.signal, l->bins * sizeof(double));
        memcpy(expectation, at.mu, l->bins * sizeof(double));
    } else {
        fill_nan(signal, l->bins);
        fill_nan(expectation, l->bins);
    }
    leave(work, own);
    return value;
}

void cevns_fast_chi2_of_counts(const cevns_fast_likelihood *l, const double *signal, size_t points, double *chi2,
                               double *pulls)
{
    double own[ON_STACK], *work = room(l, own);
    point at;
    if (work)
        cevns_fast_place(l, work, &at);
    for (size_t i = 0; i < points; i++) {
        chi2[i] = INFINITY;
        if (work) {
            memcpy(at.signal, signal + i * l->bins, l->bins * sizeof(double));
            memset(at.response, 0, l->nuisances * l->bins * sizeof(double));
            cevns_fast_respond(l, NULL, 1, &at);
            double value = cevns_fast_profile(l, 1, &at);
            chi2[i] = isnan(value) ? INFINITY : value;
        }
        if (pulls && isinf(chi2[i]))
            fill_nan(pulls + i * l->nuisances, l->nuisances);
        else if (pulls)
            memcpy(pulls + i * l->nuisances, at.pull, l->nuisances * sizeof(double));
    }
    leave(work, own);
}

size_t cevns_fast_dimension(const cevns_fast_likelihood *l)
{
    return l->parameters;
}

size_t cevns_fast_experiments(const cevns_fast_likelihood *l)
{
    return l->offered;
}

size_t cevns_fast_nuisances(const cevns_fast_likelihood *l)
{
    return l->nuisances;
}

size_t cevns_fast_bins(const cevns_fast_likelihood *l)
{
    return l->bins;
}

const char *cevns_fast_parameter(const cevns_fast_likelihood *l, size_t index)
{
    return index < l->parameters ? l->names + index * NAME_SIZE : NULL;
}

void cevns_fast_bounds(const cevns_fast_likelihood *l, size_t index, double *lower, double *upper)
{
    *lower = index < l->parameters ? l->lower[index] : NAN;
    *upper = index < l->parameters ? l->upper[index] : NAN;
}
