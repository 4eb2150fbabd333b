/* chi2 of many points; of the commonest likelihoods in loops over points. */
#include "likelihood_types.h"

#include "machine.h"

#include <float.h>

enum { BLOCK = 64, LANES = 16, FEW = 4 /* points of one x that are not worth a block */ };

/* Whether every experiment has a fixed variance and at most one nuisance, its own normalisation. */
int cevns_fast_is_plain(const cevns_fast_likelihood *l)
{
    if (l->poisson || l->mixed || l->curved || l->profiled < l->nuisances || l->monomials > MOST_PLAIN ||
        l->parameters > MOST_PLAIN)
        return 0;
    for (size_t i = 0; i < l->experiments; i++) {
        const experiment *e = l->experiment + i;
        size_t acting = 0;
        if (e->statistic != FIXED_VARIANCE || e->tables > 1 || e->bins > MOST_PLAIN)
            return 0;
        for (size_t b = 0; b < e->bins; b++)
            if (e->base[b] != 0)
                return 0;
        for (size_t k = 0; k < l->nuisances; k++) {
            acting += e->scale[k] != 0;
            for (size_t j = 0; j < i; j++)
                if (e->scale[k] != 0 && l->experiment[j].scale[k] != 0)
                    return 0;
            for (size_t b = 0; b < e->bins; b++)
                if (e->shift[k * e->bins + b] != 0)
                    return 0;
        }
        if (acting > 1)
            return 0;
    }
    return 1;
}

/* The monomials of many points, out[monomial][BLOCK], whose parameters are theta[parameter][BLOCK]. */
static INLINE void monomials_of_block(const cevns_fast_likelihood *l, const double *theta, double *out)
{
    for (size_t m = 0, i = 0; m < l->monomials; m++) {
        double *restrict mine = out + m * BLOCK;
        for (size_t p = 0; p < BLOCK; p++)
            mine[p] = 1;
        for (; i < l->first_factor[m + 1]; i++) {
            const double *restrict z = theta + l->coupling_at[l->factor[i]] * BLOCK;
            if (l->power[i] == 1)
                for (size_t p = 0; p < BLOCK; p++)
                    mine[p] *= z[p];
            else if (l->power[i] == 2)
                for (size_t p = 0; p < BLOCK; p++)
                    mine[p] *= z[p] * z[p];
            else
                for (size_t p = 0; p < BLOCK; p++)
                    mine[p] *= power_of(z[p], (int)l->power[i], 0);
        }
    }
}

/* chi2 of up to BLOCK points of a plain likelihood, in loops over points; the formulas are those of `profile`. Products
 * are not fused with sums, so that bits are those of any machine. */
static INLINE void block_of_any(const cevns_fast_likelihood *l, const double *table, const double *thetas,
                                size_t points, double *chi2)
{
    double monomial[MOST_PLAIN * BLOCK], signal[MOST_PLAIN * BLOCK], theta[MOST_PLAIN * BLOCK];
    double total[BLOCK] = {0}, beyond[BLOCK] = {0}; /* chi2; how far, out of bounds */
    size_t n = l->parameters;
    for (size_t i = 0; i < n; i++) {
        double *restrict mine = theta + i * BLOCK;
        double lower = fmax(l->lower[i], -DBL_MAX), upper = fmin(l->upper[i], DBL_MAX);
        for (size_t p = 0; p < points; p++)
            mine[p] = thetas[p * n + i];
        for (size_t p = points; p < BLOCK; p++)
            mine[p] = 0;
        for (size_t p = 0; p < BLOCK; p++) { /* without branches */
            double x = mine[p], above = x < lower ? lower : x, within = above > upper ? upper : above;
            beyond[p] += fabs(x - within);
            mine[p] = within;
        }
    }
    monomials_of_block(l, theta, monomial);
    for (size_t i = 0; i < l->experiments; i++) {
        const experiment *e = l->experiment + i;
        double scale = 0, offset = 0, centre = 0, strength = 1, curvature[BLOCK] = {0}, slope[BLOCK] = {0}, growth[BLOCK];
        for (size_t k = 0; k < l->nuisances; k++)
            if (e->scale[k] != 0)
                scale = e->scale[k], offset = l->offset[k], centre = l->centre[k], strength = l->strength[k];
        double factor = e->factor;
        const double *coefficients = table ? table : e->coefficients;
        table = table ? table + l->monomials * e->bins : NULL;
        for (size_t b = 0; b < e->bins; b++) {
            double *restrict mine = signal + b * BLOCK, weight = e->weight[b], data = e->data[b];
            for (size_t p = 0; p < BLOCK; p += LANES) {
                double sum[LANES] = {0};
                for (size_t m = 0; m < l->monomials; m++)
                    for (size_t j = 0; j < LANES; j++)
                        sum[j] += coefficients[m * e->bins + b] * monomial[m * BLOCK + p + j];
                for (size_t j = 0; j < LANES; j++)
                    mine[p + j] = sum[j];
            }
            for (size_t p = 0; p < BLOCK; p++) {
                curvature[p] += weight * mine[p] * mine[p];
                slope[p] += weight * mine[p] * (data - factor * mine[p]);
            }
        }
        for (size_t p = 0; p < BLOCK; p++) {
            double solved = (scale * slope[p] + strength * (offset + centre)) / (scale * scale * curvature[p] + strength);
            double pull = scale != 0 ? solved - offset - centre : 0;
            growth[p] = factor + scale * solved;
            total[p] += strength * (pull * pull);
        }
        for (size_t b = 0; b < e->bins; b++)
            for (size_t p = 0; p < BLOCK; p++) {
                double residual = e->data[b] - growth[p] * signal[b * BLOCK + p];
                total[p] += e->weight[b] * residual * residual;
            }
    }
    for (size_t p = 0; p < points; p++) {
        double value = beyond[p] == 0 ? total[p] : INFINITY;
        chi2[p] = value <= DBL_MAX ? value : INFINITY; /* not NaN */
    }
}

static void block_of_baseline(const cevns_fast_likelihood *l, const double *table, const double *thetas,
                              size_t points, double *chi2)
{
    block_of_any(l, table, thetas, points, chi2);
}

#if defined(HAS_RECENT)
WIDE static void block_of_recent(const cevns_fast_likelihood *l, const double *table, const double *thetas,
                              size_t points, double *chi2)
{
    block_of_any(l, table, thetas, points, chi2);
}
#else
#define recent_machine() 0
#define block_of_recent block_of_baseline
#endif

void cevns_fast_chi2_batch(const cevns_fast_likelihood *l, const double *thetas, size_t points, size_t n, double *chi2)
{
    double own[ON_STACK], *work = room(l, own);
    point at;
    if (work)
        cevns_fast_place(l, work, &at);
    size_t done = 0;
    while (l->plain && work && n == l->parameters && done < points) {
        const double *first = thetas + done * n, *table = NULL;
        size_t run = points - done < BLOCK ? points - done : BLOCK;
        if (l->x_at != NONE) { /* points of one x share the tables there */
            double x = first[l->x_at];
            size_t same = 1;
            while (same < run && first[same * n + l->x_at] == x)
                same++;
            run = same;
            if (!(x == at.x) && x >= l->lower[l->x_at] && x <= l->upper[l->x_at])
                cevns_fast_tables_at(l, at.x = x, 0, &at);
            table = at.table[0];
        }
        if (run < FEW && l->x_at != NONE)
            for (size_t i = 0; i < run; i++)
                chi2[done + i] = cevns_fast_evaluate(l, first + i * n, n, 0, &at);
        else
            (recent_machine() ? block_of_recent : block_of_baseline)(l, table, first, run, chi2 + done);
        done += run;
    }
    for (size_t i = done; i < points; i++)
        chi2[i] = work ? cevns_fast_evaluate(l, thetas + i * n, n, 0, &at) : INFINITY;
    leave(work, own);
}
