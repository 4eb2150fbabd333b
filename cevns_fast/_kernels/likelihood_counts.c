/* The expectation at theta: signal counts, polynomials in couplings whose coefficients are piecewise polynomials in x,
 * and what nuisances make of them. */
#include "likelihood_types.h"

#include "machine.h"

enum { LANES = 16, FEW = 4 };

/* Horner's rule in u for `lanes` neighbours of n polynomials, c[degree + 1][n], in registers from the highest power to the
 * lowest; with `order` derivatives. */
static INLINE void horner(size_t lanes, size_t n, size_t degree, double u, const double *restrict c, int order,
                          double *restrict out, double *restrict first, double *restrict second)
{
    double value[LANES], slope[LANES] = {0}, half[LANES] = {0};
    for (size_t j = 0; j < lanes; j++)
        value[j] = c[j];
    for (size_t d = 1; d <= degree; d++) {
        c += n;
        for (size_t j = 0; j < lanes; j++) {
            if (order > 1)
                half[j] = half[j] * u + slope[j];
            if (order > 0)
                slope[j] = slope[j] * u + value[j];
            value[j] = value[j] * u + c[j];
        }
    }
    for (size_t j = 0; j < lanes; j++) {
        out[j] = value[j];
        if (order > 0)
            first[j] = slope[j];
        if (order > 1)
            second[j] = half[j];
    }
}

/* The same for all n of them. */
static INLINE void horner_of_any(size_t n, size_t degree, double u, const double *c, int order, double *out,
                                 double *first, double *second)
{
    size_t j = 0;
    for (; j + LANES <= n; j += LANES)
        horner(LANES, n, degree, u, c + j, order, out + j, first + j, second + j);
    for (; j + FEW <= n; j += FEW)
        horner(FEW, n, degree, u, c + j, order, out + j, first + j, second + j);
    for (; j < n; j++)
        horner(1, n, degree, u, c + j, order, out + j, first + j, second + j);
}

/* Coefficients of all monomials of all experiments at x, with `order` derivatives. Products are not fused with sums, so
 * that bits are those of any machine. */
static INLINE void tables_of_any(const cevns_fast_likelihood *l, double x, int order, point *at)
{
    double *out = at->table[0], *first = at->table[1], *second = at->table[2];
    for (size_t i = 0; i < l->experiments; i++) {
        const experiment *e = l->experiment + i;
        size_t n = e->tables * l->monomials * e->bins, piece = 0;
        for (size_t end = e->pieces; piece + 1 < end;) { /* the last piece that begins below x */
            size_t middle = (piece + end) / 2;
            if (x < e->breaks[middle])
                end = middle;
            else
                piece = middle;
        }
        double inverse = 2 / (e->breaks[piece + 1] - e->breaks[piece]);
        double u = (x - e->breaks[piece]) * inverse - 1;
        const double *c = e->coefficients + piece * (e->degree + 1) * n;
        if (order == 0)
            horner_of_any(n, e->degree, u, c, 0, out, first, second);
        else if (order == 1)
            horner_of_any(n, e->degree, u, c, 1, out, first, second);
        else
            horner_of_any(n, e->degree, u, c, 2, out, first, second);
        for (size_t j = 0; order > 0 && j < n; j++)
            first[j] *= inverse;
        for (size_t j = 0; order > 1 && j < n; j++)
            second[j] *= 2 * inverse * inverse;
        out += n, first += n, second += n;
    }
}

static void tables_of_baseline(const cevns_fast_likelihood *l, double x, int order, point *at)
{
    tables_of_any(l, x, order, at);
}

#if defined(HAS_RECENT)
WIDE static void tables_of_recent(const cevns_fast_likelihood *l, double x, int order, point *at)
{
    tables_of_any(l, x, order, at);
}
#else
#define recent_machine() 0
#define tables_of_recent tables_of_baseline
#endif

void cevns_fast_tables_at(const cevns_fast_likelihood *l, double x, int order, point *at)
{
    (recent_machine() ? tables_of_recent : tables_of_baseline)(l, x, order, at);
}

/* Signal and responses at theta. */
void cevns_fast_signal(const cevns_fast_likelihood *l, const double *theta, int order, point *at)
{
    double x = l->x_at == NONE ? 0 : theta[l->x_at];
    if (!(x == at->x) || order > 0) /* neighbours in a batch often share x */
        cevns_fast_tables_at(l, at->x = x, order, at);
    monomials(l, theta, at->monomial);
    const double *table = at->table[0];
    for (size_t i = 0; i < l->experiments; i++) {
        const experiment *e = l->experiment + i;
        size_t n = l->monomials * e->bins;
        combine(l->monomials, e->bins, at->monomial, table, at->signal + e->first_bin);
        for (size_t a = 0; a < e->acting; a++) {
            size_t k = e->active[a];
            if (e->morph[k] > 0)
                combine(l->monomials, e->bins, at->monomial, table + (size_t)e->morph[k] * n,
                        at->response + k * l->bins + e->first_bin);
        }
        table += e->tables * n;
    }
}

/* P_k from signal and morphs, and mu without the profiled nuisances; of a curved experiment what N and morphs add. */
void cevns_fast_respond(const cevns_fast_likelihood *l, const double *theta, int all_profiled, point *at)
{
    for (size_t k = 0; k < l->nuisances; k++)
        if (!is_profiled(l, k, all_profiled))
            at->solved[k] = theta[l->nuisance_at[k]];
    for (size_t i = 0; i < l->experiments; i++) {
        const experiment *e = l->experiment + i;
        const double *restrict signal = at->signal + e->first_bin;
        double *restrict fixed = at->fixed + e->first_bin;
        for (size_t b = 0; b < e->bins; b++)
            fixed[b] = e->factor * signal[b] + e->base[b];
        for (size_t a = 0; a < e->acting; a++) {
            size_t k = e->active[a];
            double *restrict response = at->response + k * l->bins + e->first_bin, scale = e->scale[k];
            const double *restrict shift = e->shift + k * e->bins;
            if (e->curved) {
                double *restrict part = at->part + k * l->bins + e->first_bin;
                for (size_t b = 0; b < e->bins; b++)
                    part[b] = (e->morph[k] > 0 ? response[b] : 0) + scale * signal[b];
                continue;
            }
            if (e->morph[k] > 0)
                for (size_t b = 0; b < e->bins; b++)
                    response[b] += scale * signal[b] + shift[b];
            else
                for (size_t b = 0; b < e->bins; b++)
                    response[b] = scale * signal[b] + shift[b];
            if (!is_profiled(l, k, all_profiled)) {
                double c = at->solved[k];
                for (size_t b = 0; b < e->bins; b++)
                    fixed[b] += c * response[b];
            }
        }
    }
}

/* Responses where a nuisance does not act: nothing but derivatives reads them. */
void cevns_fast_clear_others(const cevns_fast_likelihood *l, const point *at)
{
    for (size_t i = 0; i < l->experiments; i++) {
        const experiment *e = l->experiment + i;
        for (size_t k = 0, a = 0; k < l->nuisances; k++)
            if (a < e->acting && e->active[a] == k)
                a++;
            else
                memset(at->response + k * l->bins + e->first_bin, 0, e->bins * sizeof(double));
    }
}

/* mu, and the penalty of all nuisances at solved + t step. */
double cevns_fast_expect(const cevns_fast_likelihood *l, double t, int all_profiled, const point *at)
{
    size_t n = l->nuisances;
    double penalty = 0;
    for (size_t k = 0; k < n; k++) {
        at->excess[k] = -l->centre[k];
        for (size_t j = l->mixed ? 0 : k, end = l->mixed ? n : k + 1; j < end; j++)
            at->excess[k] += l->mix[k * n + j] * (at->solved[j] + t * at->step[j] - l->offset[j]);
        penalty += l->strength[k] * (at->excess[k] * at->excess[k]);
        if (l->bends)
            at->value[k] = at->solved[k] + t * at->step[k];
    }
    for (size_t i = 0; i < l->experiments; i++) {
        const experiment *e = l->experiment + i;
        double *restrict mu = at->mu + e->first_bin;
        if (e->curved) {
            cevns_fast_curve(l, i, at);
            continue;
        }
        memcpy(mu, at->fixed + e->first_bin, e->bins * sizeof(double));
        for (size_t a = 0; a < e->acting; a++) {
            size_t k = e->active[a];
            double c = at->solved[k] + t * at->step[k];
            const double *restrict response = at->response + k * l->bins + e->first_bin;
            for (size_t b = 0; is_profiled(l, k, all_profiled) && b < e->bins; b++)
                mu[b] += c * response[b];
        }
    }
    return penalty;
}

void cevns_fast_predict(const cevns_fast_likelihood *l, const double *theta, point *at)
{
    cevns_fast_signal(l, theta, 0, at);
    cevns_fast_respond(l, theta, 1, at);
    cevns_fast_clear_others(l, at);
    memset(at->step, 0, l->nuisances * sizeof(double));
    cevns_fast_expect(l, 0, 1, at);
}
