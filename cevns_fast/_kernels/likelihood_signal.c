/* Signal counts: polynomials in couplings whose coefficients are piecewise polynomials in x. */
#include "likelihood.h"

/* Coefficients of all monomials of all experiments at x, with `order` derivatives. */
static void tables_at(const cevns_fast_likelihood *l, double x, int order, point *at)
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
        memcpy(out, c, n * sizeof(double));
        if (order > 0) {
            memset(first, 0, n * sizeof(double));
            memset(second, 0, n * sizeof(double));
        }
        for (size_t d = 1; d <= e->degree; d++) {
            c += n;
            if (order > 0)
                for (size_t j = 0; j < n; j++) {
                    second[j] = second[j] * u + first[j];
                    first[j] = first[j] * u + out[j];
                }
            for (size_t j = 0; j < n; j++)
                out[j] = out[j] * u + c[j];
        }
        if (order > 0)
            for (size_t j = 0; j < n; j++) {
                first[j] *= inverse;
                second[j] *= 2 * inverse * inverse;
            }
        out += n, first += n, second += n;
    }
}

/* Signal and responses at theta. */
void cevns_fast_predict(const cevns_fast_likelihood *l, const double *theta, int order, point *at)
{
    double x = l->x_at == NONE ? 0 : theta[l->x_at];
    if (!(x == at->x) || order > 0) /* neighbours in a batch often share x */
        tables_at(l, at->x = x, order, at);
    monomials(l, theta, at->monomial);
    const double *table = at->table[0];
    for (size_t i = 0; i < l->experiments; i++) {
        const experiment *e = l->experiment + i;
        size_t n = l->monomials * e->bins;
        combine(l->monomials, e->bins, at->monomial, table, at->signal + e->first_bin);
        for (size_t k = 0; k < l->nuisances; k++)
            if (e->morph[k] > 0)
                combine(l->monomials, e->bins, at->monomial, table + (size_t)e->morph[k] * n,
                        at->response + k * l->bins + e->first_bin);
        table += e->tables * n;
    }
}

/* P_k from signal and morphs, and mu without the profiled nuisances. */
void cevns_fast_respond(const cevns_fast_likelihood *l, const double *theta, int all_profiled, point *at)
{
    for (size_t i = 0; i < l->experiments; i++) {
        const experiment *e = l->experiment + i;
        const double *restrict signal = at->signal + e->first_bin;
        double *restrict fixed = at->fixed + e->first_bin;
        for (size_t b = 0; b < e->bins; b++)
            fixed[b] = e->factor * signal[b] + e->base[b];
        for (size_t k = 0; k < l->nuisances; k++) {
            double *restrict response = at->response + k * l->bins + e->first_bin;
            const double *restrict shift = e->shift + k * e->bins;
            double scale = e->scale[k];
            if (e->morph[k] > 0)
                for (size_t b = 0; b < e->bins; b++)
                    response[b] += scale * signal[b] + shift[b];
            else
                for (size_t b = 0; b < e->bins; b++)
                    response[b] = scale * signal[b] + shift[b];
            if (!all_profiled && l->nuisance_at[k] != NONE) {
                double a = at->solved[k] = theta[l->nuisance_at[k]];
                for (size_t b = 0; b < e->bins; b++)
                    fixed[b] += a * response[b];
            }
        }
    }
}
