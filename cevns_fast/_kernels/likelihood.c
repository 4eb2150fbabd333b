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
#include "cevns_fast.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ON_STACK = 4096, NEWTON_STEPS = 100, MINIMISER_STEPS = 200, LONGEST_NAME = 64 };
enum { MOST_PLAIN = 64, BLOCK = 64, LANES = 8 };
#define NONE ((size_t)-1)
static const double MAGIC = 20201127.0;

enum statistic { FIXED_VARIANCE, PREDICTED_VARIANCE, POISSON };

typedef struct {
    enum statistic statistic;
    size_t first_bin, bins, pieces, degree, tables;
    double shape_variance;    /* of PREDICTED_VARIANCE, BRX Eq. (30) */
    double off_on_ratio;      /* of POISSON: exposure off over exposure on; infinite if the background is known */
    double factor;            /* of the signal */
    const double *data;       /* [bins] counts: on counts for POISSON, else what is left of backgrounds */
    const double *weight;     /* [bins] 1/variance; floor of the variance; off counts */
    const double *background; /* [bins] of PREDICTED_VARIANCE: shares the shape uncertainty */
    const double *base;       /* [bins] expectation beside signal */
    const double *scale;      /* [nuisances] */
    const double *shift;      /* [nuisances][bins] */
    const double *morph;      /* [nuisances] which table moves the shape, 0 for none */
    const double *breaks;     /* [pieces + 1] of x */
    const double *coefficients; /* [pieces][degree + 1][tables][monomials][bins], highest power first */
} experiment;

struct cevns_fast_likelihood {
    double *block;
    char *names;
    experiment *experiment;
    size_t parameters, couplings, monomials, nuisances, profiled, experiments, bins, workspace;
    size_t outputs; /* of all experiments' tables */
    int poisson; /* whether any experiment counts Poisson events */
    int mixed;   /* whether `mix` is not the unit matrix */
    int plain;   /* whether `evaluate_block` serves it */
    size_t *indices;      /* owns what follows; NONE stands for "not there" */
    size_t *coupling_at;  /* [couplings] where each is in theta */
    size_t x_at;          /* where x is in theta */
    size_t *first_factor; /* [monomials + 1] among the factors z^p of the monomials: */
    size_t *factor;       /* which coupling */
    size_t *power;        /* p >= 1 */
    size_t *nuisance_at;  /* [nuisances] where each is in theta, if it is not profiled */
    const double *lower, *upper; /* [parameters] */
    const double *centre;        /* [nuisances] */
    const double *offset;        /* [nuisances] c where a = 0 */
    const double *mix;           /* [nuisances][nuisances] a = mix (c - offset) */
    double *prior;               /* [nuisances][nuisances] mix^T mix */
};

/* Everything known at one theta; arrays of all bins run over the experiments. */
typedef struct {
    double *monomial;         /* [monomials] */
    double *table[3];         /* [outputs]: table and its derivatives in x */
    double *signal;           /* [bins] N */
    double *response;         /* [nuisances][bins] P_k */
    double *fixed;            /* [bins] mu without profiled nuisances */
    double *mu;               /* [bins] */
    double *weight;           /* [bins] half the curvature of the loss in mu */
    double *slope;            /* [bins] of the loss in mu, at fixed N */
    double *slope_n;          /* [bins] of the loss in N, at fixed mu */
    double *pull;             /* [nuisances] a_k */
    double *excess;           /* [nuisances] a_k - centre_k */
    double *solved;           /* [nuisances] c_k */
    double *step;             /* [nuisances] of c_k, 0 if it is not profiled */
    double *gram;             /* [nuisances][nuisances] */
    double *rest;             /* for derivatives */
    double x;
} point;

static size_t work_of(const cevns_fast_likelihood *l)
{
    size_t k = l->nuisances, b = l->bins, all = l->parameters + k;
    size_t rest = 3 * l->monomials + b * (2 + 2 * all) + all * all;
    return l->monomials + 3 * l->outputs + b * (6 + k) + 4 * k + k * k + rest;
}

static void place(const cevns_fast_likelihood *l, double *work, point *at)
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
    work += 6 * b;
    at->response = work;
    work += k * b;
    at->pull = work;
    at->excess = work + k;
    at->solved = work + 2 * k;
    at->step = work + 3 * k;
    at->gram = work + 4 * k;
    at->rest = at->gram + k * k;
    at->x = NAN;
}

/* ---- the signal ------------------------------------------------------------------------------------------ */

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

/* d^order z^p / dz^order */
static double power_of(double z, int p, int order)
{
    double value = 1;
    for (; order > 0; order--)
        value *= p--;
    for (; p > 0; p--)
        value *= z;
    return value;
}

/* All monomials. */
static void monomials(const cevns_fast_likelihood *l, const double *theta, double *restrict out)
{
    for (size_t m = 0, i = 0; m < l->monomials; m++) {
        out[m] = 1;
        for (; i < l->first_factor[m + 1]; i++) {
            double z = theta[l->coupling_at[l->factor[i]]];
            out[m] *= l->power[i] == 1 ? z : l->power[i] == 2 ? z * z : power_of(z, (int)l->power[i], 0);
        }
    }
}

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

/* Four sums at a time, which need not wait for each other. */
static double dot(size_t n, const double *restrict a, const double *restrict b)
{
    double sum[4] = {0, 0, 0, 0};
    size_t i = 0;
    for (; i + 4 <= n; i += 4)
        for (size_t j = 0; j < 4; j++)
            sum[j] += a[i + j] * b[i + j];
    for (; i < n; i++)
        sum[0] += a[i] * b[i];
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

/* out[b] = sum_m weight_m table[m][b] */
static void combine(size_t monomials, size_t bins, const double *restrict weight, const double *restrict table,
                    double *restrict out)
{
    memset(out, 0, bins * sizeof(double));
    for (size_t m = 0; m < monomials; m++)
        for (size_t b = 0; b < bins; b++)
            out[b] += weight[m] * table[m * bins + b];
}

/* Signal and responses at theta. */
static void predict(const cevns_fast_likelihood *l, const double *theta, int order, point *at)
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
static void respond(const cevns_fast_likelihood *l, const double *theta, int all_profiled, point *at)
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

/* ---- the loss -------------------------------------------------------------------------------------------- */

/* n ln(n/m) - (n - m) for m > 0, without cancellation near m = n. */
static double poisson_half(double n, double m)
{
    if (n <= 0)
        return m;
    double r = (m - n) / n;
    return n * (r - log1p(r));
}

/* Loss of on counts n and off counts at expectation mu, minimised over the background b >= 0 that both see. */
static double on_off(double n, double off, double ratio, double mu, double *slope, double *weight)
{
    if (isinf(ratio)) { /* the background is known, and in mu */
        if (mu < 0 || (mu == 0 && n > 0))
            return INFINITY;
        *slope = n > 0 ? 2 * (1 - n / mu) : 2;
        *weight = n > 0 ? n / (mu * mu) : 0;
        return 2 * poisson_half(n, mu);
    }
    /* Two quadratic equations, for b and for the total mu + b >= 0, each solved without a difference of like numbers:
     * all b^2 - p b - off mu = 0 and all total^2 - q total + n mu = 0. */
    double all = 1 + ratio, difference = all * mu - n + off, root = sqrt(difference * difference + 4 * n * off);
    double p = n + off - all * mu, q = n + off + all * mu;
    double b = p > 0 ? (p + root) / (2 * all) : off > 0 ? 2 * off * mu / (root - p) : 0;
    double total = q > 0 ? (q + root) / (2 * all) : n > 0 ? -2 * n * mu / (root - q) : 0;
    double a = n > 0 ? n / (total * total) : 0, c = off > 0 ? off / (b * b) : b > 0 ? 0 : INFINITY;
    if (n <= 0 && total <= 0) { /* b = -mu makes up for what is negative */
        *slope = b > 0 ? 2 * (off / b - ratio) : 2;
        *weight = b > 0 ? c : 0;
    } else {
        *slope = n > 0 ? 2 * (1 - n / total) : 2;
        *weight = isinf(c) ? a : a + c > 0 ? a * c / (a + c) : 0;
    }
    return 2 * (poisson_half(n, total) + poisson_half(off, ratio * b));
}

/* Sum of the losses of all bins at mu, with their slopes. Infinity where one is not defined.
 * Poisson counts below `least` are taken for that many. */
static double losses(const cevns_fast_likelihood *l, double least, const point *at)
{
    double total = 0;
    for (size_t i = 0; i < l->experiments; i++) {
        const experiment *e = l->experiment + i;
        const double *restrict mu = at->mu + e->first_bin, *restrict data = e->data;
        double *restrict slope = at->slope + e->first_bin, *restrict weight = at->weight + e->first_bin;
        if (e->statistic == POISSON)
            for (size_t b = 0; b < e->bins; b++)
                total += on_off(fmax(data[b], least), fmax(e->weight[b], least), e->off_on_ratio, mu[b], slope + b,
                                weight + b);
        else {
            double *restrict residual = at->rest;
            for (size_t b = 0; b < e->bins; b++) {
                residual[b] = mu[b] - data[b];
                slope[b] = 2 * weight[b] * residual[b];
            }
            total += 0.5 * dot(e->bins, slope, residual);
        }
    }
    return total;
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

/* 1/variance of all bins that are not Poisson; whether all variances are positive. */
static int weigh(const cevns_fast_likelihood *l, const point *at)
{
    for (size_t i = 0; i < l->experiments; i++) {
        const experiment *e = l->experiment + i;
        double *restrict weight = at->weight + e->first_bin;
        if (e->statistic == FIXED_VARIANCE)
            memcpy(weight, e->weight, e->bins * sizeof(double));
        else if (e->statistic == PREDICTED_VARIANCE)
            for (size_t b = 0; b < e->bins; b++) {
                double shape = at->signal[e->first_bin + b] + e->background[b];
                double variance = at->signal[e->first_bin + b] + e->weight[b] + e->shape_variance * shape * shape;
                if (!(variance > 0))
                    return 0;
                weight[b] = 1 / variance;
            }
        else
            for (size_t b = 0; b < e->bins; b++) /* for a first guess: what counts alone would say */
                weight[b] = 1 / (e->data[b] + e->weight[b] / (e->off_on_ratio * e->off_on_ratio) + 1);
    }
    return 1;
}

/* The slopes of the loss in mu that Gaussian counts of these weights would have. */
static void guess_slopes(const cevns_fast_likelihood *l, const point *at)
{
    for (size_t i = 0; i < l->experiments; i++) {
        const experiment *e = l->experiment + i;
        for (size_t b = 0; b < e->bins; b++) {
            double off = e->statistic == POISSON ? e->weight[b] / e->off_on_ratio : 0;
            at->slope[e->first_bin + b] = 2 * at->weight[e->first_bin + b] * (at->mu[e->first_bin + b] - e->data[b] + off);
        }
    }
}

/* ---- the nuisances --------------------------------------------------------------------------------------- */

/* Solve gram x = x for a positive definite gram[n][n], given and decomposed as L D L^T in its lower triangle. */
static void solve(size_t n, double *restrict gram, double *restrict x)
{
    for (size_t i = 0; i < n; i++) {
        double *row = gram + i * n;
        for (size_t j = 0; j < i; j++) { /* row holds L D until its diagonal is known */
            for (size_t k = 0; k < j; k++)
                row[j] -= row[k] * gram[j * n + k];
            x[i] -= row[j] / gram[j * n + j] * x[j];
        }
        for (size_t j = 0; j < i; j++) {
            double factor = row[j] / gram[j * n + j];
            row[i] -= factor * row[j];
            row[j] = factor;
        }
    }
    for (size_t i = n; i-- > 0;) {
        x[i] /= gram[i * n + i];
        for (size_t k = i + 1; k < n; k++)
            x[i] -= gram[k * n + i] * x[k];
    }
}

static int is_profiled(const cevns_fast_likelihood *l, size_t k, int all_profiled)
{
    return all_profiled || l->nuisance_at[k] == NONE;
}

/* mu, and the penalty of all nuisances at solved + t step. */
static double expect(const cevns_fast_likelihood *l, double t, int all_profiled, const point *at)
{
    size_t n = l->nuisances;
    double penalty = 0;
    memcpy(at->mu, at->fixed, l->bins * sizeof(double));
    for (size_t k = 0; k < n; k++) {
        at->excess[k] = -l->centre[k];
        for (size_t j = l->mixed ? 0 : k, end = l->mixed ? n : k + 1; j < end; j++)
            at->excess[k] += l->mix[k * n + j] * (at->solved[j] + t * at->step[j] - l->offset[j]);
        penalty += at->excess[k] * at->excess[k];
        if (!is_profiled(l, k, all_profiled))
            continue;
        double c = at->solved[k] + t * at->step[k];
        const double *restrict response = at->response + k * l->bins;
        for (size_t b = 0; b < l->bins; b++)
            at->mu[b] += c * response[b];
    }
    return penalty;
}

/* Half the slope of the penalty in c_k. */
static double tension(const cevns_fast_likelihood *l, size_t k, const point *at)
{
    double sum = 0;
    for (size_t i = 0; i < l->nuisances; i++)
        sum += l->mix[i * l->nuisances + k] * at->excess[i];
    return sum;
}

/* Half the curvature in the profiled nuisances, and the step that a quadratic loss wants. */
static double newton(const cevns_fast_likelihood *l, int all_profiled, const point *at)
{
    size_t n = 0;
    double decrement = 0;
    for (size_t k = 0; k < l->nuisances; k++) {
        if (!is_profiled(l, k, all_profiled))
            continue;
        const double *restrict mine = at->response + k * l->bins;
        at->step[n++] = -tension(l, k, at) - 0.5 * dot(l->bins, at->slope, mine);
    }
    for (size_t k = 0, row = 0; k < l->nuisances; k++) {
        if (!is_profiled(l, k, all_profiled))
            continue;
        const double *restrict mine = at->response + k * l->bins;
        double *restrict weighted = at->rest + l->nuisances;
        for (size_t b = 0; b < l->bins; b++)
            weighted[b] = at->weight[b] * mine[b];
        for (size_t j = 0, column = 0; j <= k; j++)
            if (is_profiled(l, j, all_profiled))
                at->gram[row * n + column++] =
                    l->prior[k * l->nuisances + j] + dot(l->bins, weighted, at->response + j * l->bins);
        row++;
    }
    double *half = at->rest;
    memcpy(half, at->step, n * sizeof(double));
    solve(n, at->gram, at->step);
    for (size_t i = 0; i < n; i++)
        decrement += half[i] * at->step[i];
    for (size_t k = l->nuisances; k-- > 0;) /* one entry for every nuisance again */
        at->step[k] = is_profiled(l, k, all_profiled) ? at->step[--n] : 0;
    return decrement;
}

/* Newton's method for the profiled nuisances from where they are, with chi2 `value`; whether it got to the minimum. */
static int descend(const cevns_fast_likelihood *l, int all_profiled, double least, const point *at, double *value)
{
    for (int step = 0; step < NEWTON_STEPS && isfinite(*value); step++) {
        double decrement = newton(l, all_profiled, at), t = 1, trial;
        while (!((trial = expect(l, t, all_profiled, at) + losses(l, least, at)) <= *value) &&
               decrement > 1e-13 * *value && t > 1e-10)
            t *= 0.5;
        if (!isfinite(trial) || t <= 1e-10)
            return 0;
        *value = trial;
        for (size_t k = 0; k < l->nuisances; k++) {
            at->solved[k] += t * at->step[k];
            at->step[k] = 0;
        }
        if (decrement < 1e-12)
            return 1;
    }
    return 0;
}

/* chi2 with the profiled nuisances where a = centre, which any counts should allow. */
static double begin(const cevns_fast_likelihood *l, int all_profiled, double least, const point *at)
{
    for (size_t k = 0; k < l->nuisances; k++) {
        at->step[k] = 0;
        if (is_profiled(l, k, all_profiled))
            at->solved[k] = l->offset[k] + l->centre[k];
    }
    return expect(l, 0, all_profiled, at) + losses(l, least, at);
}

/* chi2, minimised over the profiled nuisances. */
static double profile(const cevns_fast_likelihood *l, int all_profiled, const point *at)
{
    if (!weigh(l, at))
        return INFINITY;
    int any = 0;
    for (size_t k = 0; k < l->nuisances; k++) {
        at->step[k] = 0;
        if (!is_profiled(l, k, all_profiled))
            continue;
        any = 1;
        at->solved[k] = 0;
    }
    expect(l, 0, all_profiled, at);
    if (any) { /* from zero: a quadratic loss is at its minimum after one step */
        guess_slopes(l, at);
        newton(l, all_profiled, at);
        for (size_t k = 0; k < l->nuisances; k++) {
            at->solved[k] += at->step[k];
            at->step[k] = 0;
        }
    }
    double value = expect(l, 0, all_profiled, at) + losses(l, 0, at);
    if (any && l->poisson) {
        if (!isfinite(value)) /* no counts can be expected there */
            value = begin(l, all_profiled, 0, at);
        /* Where nothing was counted the loss ends or has a kink at mu = 0. If that is where the minimum is, it is
         * found from inside, with a vanishing fraction of a count. */
        if (isfinite(value) && !descend(l, all_profiled, 0, at, &value)) {
            value = begin(l, all_profiled, 1e-2, at);
            for (double least = 1e-2; least > 1e-15 && isfinite(value); least *= 1e-2) {
                value = expect(l, 0, all_profiled, at) + losses(l, least, at);
                descend(l, all_profiled, least, at, &value);
            }
        }
    }
    for (size_t k = 0; k < l->nuisances; k++)
        at->pull[k] = at->excess[k] + l->centre[k];
    return value;
}

/* ---- derivatives ----------------------------------------------------------------------------------------- */

/* d mu / d N at fixed nuisances, of one experiment. */
static double growth_of(const cevns_fast_likelihood *l, const experiment *e, const point *at)
{
    double growth = e->factor;
    for (size_t k = 0; k < l->nuisances; k++)
        growth += e->scale[k] * at->solved[k];
    return growth;
}

/* out[m] = d chi2 / d (coefficient m of every table), contracted with the tables of a derivative in x. */
static void contract(const cevns_fast_likelihood *l, const double *table, const point *at, double *out)
{
    memset(out, 0, l->monomials * sizeof(double));
    for (size_t i = 0; i < l->experiments; i++) {
        const experiment *e = l->experiment + i;
        size_t n = l->monomials * e->bins;
        const double *slope = at->slope + e->first_bin, *slope_n = at->slope_n + e->first_bin;
        double growth = growth_of(l, e, at);
        for (size_t m = 0; m < l->monomials; m++)
            for (size_t b = 0; b < e->bins; b++)
                out[m] += (growth * slope[b] + slope_n[b]) * table[m * e->bins + b];
        for (size_t k = 0; k < l->nuisances; k++)
            if (e->morph[k] > 0) {
                const double *morph = table + (size_t)e->morph[k] * n;
                for (size_t m = 0; m < l->monomials; m++)
                    for (size_t b = 0; b < e->bins; b++)
                        out[m] += at->pull[k] * slope[b] * morph[m * e->bins + b];
            }
        table += e->tables * n;
    }
}

/* The profiled nuisances are at their minimum, so that only what is explicit counts. */
static void differentiate(const cevns_fast_likelihood *l, const double *theta, const point *at, double *gradient)
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
                dot(l->bins, at->slope, at->response + k * l->bins) + 2 * tension(l, k, at);
}

/* d N and d mu in one direction of the space of monomials: weights of the tables of a derivative in x. */
static void move(const cevns_fast_likelihood *l, const double *weight, const double *table, const point *at,
                 double *scratch, double *signal, double *mu)
{
    for (size_t i = 0; i < l->experiments; i++) {
        const experiment *e = l->experiment + i;
        size_t n = l->monomials * e->bins;
        double growth = growth_of(l, e, at), *mine = signal + e->first_bin;
        combine(l->monomials, e->bins, weight, table, mine);
        for (size_t b = 0; b < e->bins; b++)
            mu[e->first_bin + b] = growth * mine[b];
        for (size_t k = 0; k < l->nuisances; k++)
            if (e->morph[k] > 0) {
                combine(l->monomials, e->bins, weight, table + (size_t)e->morph[k] * n, scratch);
                for (size_t b = 0; b < e->bins; b++)
                    mu[e->first_bin + b] += at->pull[k] * scratch[b];
            }
        table += e->tables * n;
    }
}

/* sum_b slope d^2 mu / (d a_k d direction) */
static double mixed(const cevns_fast_likelihood *l, size_t k, const double *weight, const double *table,
                    const double *signal, const point *at, double *scratch)
{
    double sum = 0;
    for (size_t i = 0; i < l->experiments; i++) {
        const experiment *e = l->experiment + i;
        size_t n = l->monomials * e->bins;
        sum += e->scale[k] * dot(e->bins, at->slope + e->first_bin, signal + e->first_bin);
        if (e->morph[k] > 0) {
            combine(l->monomials, e->bins, weight, table + (size_t)e->morph[k] * n, scratch);
            sum += dot(e->bins, at->slope + e->first_bin, scratch);
        }
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

static void differentiate_twice(const cevns_fast_likelihood *l, const double *theta, const point *at, double *hessian)
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
    for (size_t k = 0; k < l->nuisances; k++) {
        size_t row = row_of(l, k);
        memcpy(mu + row * bins, at->response + k * bins, bins * sizeof(double));
        for (size_t j = 0; j < l->nuisances; j++)
            full[row * all + row_of(l, j)] = 2 * l->prior[k * l->nuisances + j];
        for (size_t c = 0; c < l->couplings; c++) {
            size_t column = l->coupling_at[c];
            direction(l, theta, c, weight);
            full[row * all + column] = full[column * all + row] =
                mixed(l, k, weight, at->table[0], signal + column * bins, at, scratch);
        }
        if (l->x_at != NONE) {
            size_t column = l->x_at;
            full[row * all + column] = full[column * all + row] =
                mixed(l, k, at->monomial, at->table[1], signal + column * bins, at, scratch);
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
    for (size_t i = 0; i < l->experiments; i++) {
        const experiment *e = l->experiment + i;
        for (size_t j = e->first_bin; j < e->first_bin + e->bins; j++) {
            double mixed_n, twice_n;
            curvatures(e, at, j, &mixed_n, &twice_n);
            for (size_t row = 0; row < all; row++) {
                double mu_row = mu[row * bins + j], signal_row = signal[row * bins + j];
                double by_mu = 2 * at->weight[j] * mu_row + mixed_n * signal_row;
                double by_n = mixed_n * mu_row + twice_n * signal_row;
                for (size_t column = 0; column < all; column++)
                    full[row * all + column] += by_mu * mu[column * bins + j] + by_n * signal[column * bins + j];
            }
        }
    }
    /* Gauss elimination of the profiled nuisances, last first: their block is positive definite. */
    for (size_t k = all; k-- > p;)
        for (size_t row = 0; row < k; row++) {
            double ratio = full[row * all + k] / full[k * all + k];
            for (size_t column = 0; column < k; column++)
                full[row * all + column] -= ratio * full[k * all + column];
        }
    for (size_t row = 0; row < p; row++)
        for (size_t column = 0; column < p; column++) /* symmetric to the last bit */
            hessian[row * p + column] = 0.5 * (full[row * all + column] + full[column * all + row]);
}

/* ---- the interface --------------------------------------------------------------------------------------- */

static int is_inside(const cevns_fast_likelihood *l, const double *theta, size_t n)
{
    if (n != l->parameters)
        return 0;
    for (size_t i = 0; i < n; i++)
        if (!(theta[i] >= l->lower[i] && theta[i] <= l->upper[i] && isfinite(theta[i])))
            return 0;
    return 1;
}

/* chi2 at theta, with everything that derivatives are made of. */
static double evaluate(const cevns_fast_likelihood *l, const double *theta, size_t n, int order, point *at)
{
    if (!is_inside(l, theta, n))
        return INFINITY;
    predict(l, theta, order, at);
    respond(l, theta, 0, at);
    double value = profile(l, 0, at);
    return isnan(value) ? INFINITY : value;
}

/* Room for one evaluation: the caller's, if it is large enough. */
static double *room(const cevns_fast_likelihood *l, double *own)
{
    return l->workspace <= ON_STACK ? own : malloc(l->workspace * sizeof(double));
}

static void leave(double *work, const double *own)
{
    if (work != own)
        free(work);
}

static void fill_nan(double *out, size_t n)
{
    for (size_t i = 0; out && i < n; i++)
        out[i] = NAN;
}

double cevns_fast_hessian(const cevns_fast_likelihood *l, const double *theta, size_t n, double *gradient,
                          double *hessian)
{
    double own[ON_STACK], *work = room(l, own), value = INFINITY;
    point at;
    if (work) {
        place(l, work, &at);
        value = evaluate(l, theta, n, hessian ? 2 : gradient ? 1 : 0, &at);
    }
    if (isinf(value)) {
        fill_nan(gradient, n);
        fill_nan(hessian, n * n);
    } else {
        if (gradient)
            differentiate(l, theta, &at, gradient);
        if (hessian)
            differentiate_twice(l, theta, &at, hessian);
    }
    leave(work, own);
    return value;
}

double cevns_fast_chi2(const cevns_fast_likelihood *l, const double *theta, size_t n, double *gradient)
{
    return cevns_fast_hessian(l, theta, n, gradient, NULL);
}

/* Whether every experiment has a fixed variance, constant tables and at most one nuisance, its own normalisation. */
static int is_plain(const cevns_fast_likelihood *l)
{
    if (l->x_at != NONE || l->poisson || l->mixed || l->profiled < l->nuisances || l->monomials > MOST_PLAIN)
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

/* The monomials of many points, out[monomial][BLOCK]; whether each point is inside the bounds. */
static void monomials_of_block(const cevns_fast_likelihood *l, const double *thetas, size_t points, double *out,
                               int *inside)
{
    double found[MOST_PLAIN] = {0};
    for (size_t p = 0; p < BLOCK; p++) {
        inside[p] = p < points && is_inside(l, thetas + p * l->parameters, l->parameters);
        if (inside[p])
            monomials(l, thetas + p * l->parameters, found);
        for (size_t m = 0; m < l->monomials; m++)
            out[m * BLOCK + p] = found[m];
    }
}

/* chi2 of up to BLOCK points of a plain likelihood, in loops over points; the formulas are those of `profile`. */
static void evaluate_block(const cevns_fast_likelihood *l, const double *thetas, size_t points, double *chi2)
{
    double monomial[MOST_PLAIN * BLOCK], signal[MOST_PLAIN * BLOCK], total[BLOCK] = {0};
    int inside[BLOCK];
    monomials_of_block(l, thetas, points, monomial, inside);
    for (size_t i = 0; i < l->experiments; i++) {
        const experiment *e = l->experiment + i;
        double scale = 0, offset = 0, centre = 0, curvature[BLOCK] = {0}, slope[BLOCK] = {0}, growth[BLOCK];
        for (size_t k = 0; k < l->nuisances; k++)
            if (e->scale[k] != 0)
                scale = e->scale[k], offset = l->offset[k], centre = l->centre[k];
        double factor = e->factor;
        for (size_t b = 0; b < e->bins; b++) {
            double *restrict mine = signal + b * BLOCK, weight = e->weight[b], data = e->data[b];
            for (size_t p = 0; p < BLOCK; p += LANES) {
                double sum[LANES] = {0};
                for (size_t m = 0; m < l->monomials; m++)
                    for (size_t j = 0; j < LANES; j++)
                        sum[j] += e->coefficients[m * e->bins + b] * monomial[m * BLOCK + p + j];
                for (size_t j = 0; j < LANES; j++)
                    mine[p + j] = sum[j];
            }
            for (size_t p = 0; p < BLOCK; p++) {
                curvature[p] += weight * mine[p] * mine[p];
                slope[p] += weight * mine[p] * (data - factor * mine[p]);
            }
        }
        for (size_t p = 0; p < BLOCK; p++) {
            double solved = (scale * slope[p] + offset + centre) / (scale * scale * curvature[p] + 1);
            double pull = scale != 0 ? solved - offset - centre : 0;
            growth[p] = factor + scale * solved;
            total[p] += pull * pull;
        }
        for (size_t b = 0; b < e->bins; b++)
            for (size_t p = 0; p < BLOCK; p++) {
                double residual = e->data[b] - growth[p] * signal[b * BLOCK + p];
                total[p] += e->weight[b] * residual * residual;
            }
    }
    for (size_t p = 0; p < points; p++)
        chi2[p] = inside[p] && !isnan(total[p]) ? total[p] : INFINITY;
}

void cevns_fast_chi2_batch(const cevns_fast_likelihood *l, const double *thetas, size_t points, size_t n, double *chi2)
{
    double own[ON_STACK], *work = room(l, own);
    point at;
    if (work)
        place(l, work, &at);
    size_t done = 0;
    if (l->plain && work && n == l->parameters)
        for (; done < points; done += BLOCK)
            evaluate_block(l, thetas + done * n, points - done < BLOCK ? points - done : BLOCK, chi2 + done);
    for (size_t i = done; i < points; i++)
        chi2[i] = work ? evaluate(l, thetas + i * n, n, 0, &at) : INFINITY;
    leave(work, own);
}

/* The downhill step of (H + damping |diag H|) for the free parameters; 0 if that is not positive definite. */
static int damped_step(size_t n, const int *is_free, const double *gradient, const double *hessian, double damping,
                       double *matrix, double *step)
{
    size_t m = 0;
    for (size_t i = 0; i < n; i++) {
        if (!is_free[i])
            continue;
        size_t column = 0;
        for (size_t j = 0; j <= i; j++)
            if (is_free[j])
                matrix[m * n + column++] = hessian[i * n + j];
        double size = fabs(hessian[i * n + i]);
        matrix[m * n + m] += damping * (size > 0 ? size : 1);
        step[m++] = -gradient[i];
    }
    for (size_t i = 0; i < m; i++) /* rows of m entries, as `solve` wants them */
        memmove(matrix + i * m, matrix + i * n, (i + 1) * sizeof(double));
    solve(m, matrix, step);
    int definite = 1;
    for (size_t i = 0; i < m; i++)
        definite &= matrix[i * m + i] > 0 && isfinite(step[i]);
    for (size_t i = n; i-- > 0;)
        step[i] = is_free[i] ? step[--m] : 0;
    return definite;
}

/* chi2 beside a maximum or saddle in one of the free parameters, where there is no slope to follow; trial gets where. */
static double beside(const cevns_fast_likelihood *l, const double *theta, size_t n, const int *is_free,
                     const double *hessian, double value, double *trial)
{
    for (size_t j = 0; j < n; j++) {
        double curvature = hessian[j * n + j];
        if (!is_free[j] || !(curvature < 0))
            continue;
        for (double step = sqrt((1 + value) / -curvature), end = 1e-4 * step; step > end; step *= 0.25)
            for (int sign = 1; sign >= -1; sign -= 2) {
                memcpy(trial, theta, n * sizeof(double));
                trial[j] = fmin(fmax(theta[j] + sign * step, l->lower[j]), l->upper[j]);
                double better = cevns_fast_chi2(l, trial, n, NULL);
                if (better < value - 1e-12 * (1 + value))
                    return better;
            }
    }
    return INFINITY;
}

double cevns_fast_minimise(const cevns_fast_likelihood *l, double *theta, size_t n, const int *fixed)
{
    double *room = malloc((2 * n * n + 4 * n + 1) * sizeof(double)), damping = 1e-3;
    int *is_free = malloc((n + 1) * sizeof(int)), flat = 0;
    double value = n == l->parameters && room && is_free ? cevns_fast_chi2(l, theta, n, NULL) : INFINITY;
    double *hessian = room, *matrix = room + n * n, *gradient = matrix + n * n, *step = gradient + n, *trial = step + n;
    for (int i = 0; i < MINIMISER_STEPS && isfinite(value); i++) {
        double better = INFINITY;
        cevns_fast_hessian(l, theta, n, gradient, hessian);
        for (size_t j = 0; j < n; j++) /* a parameter stays at a bound that it is pushed against */
            is_free[j] = !(fixed && fixed[j]) && !(theta[j] <= l->lower[j] && gradient[j] > 0) &&
                         !(theta[j] >= l->upper[j] && gradient[j] < 0);
        /* The more damping, the more it is a small step along the gradient, which leads down from a bound too. */
        for (; !flat && damping < 1e12; damping *= 8) {
            if (!damped_step(n, is_free, gradient, hessian, damping, matrix, step))
                continue;
            for (size_t j = 0; j < n; j++)
                trial[j] = fmin(fmax(theta[j] + step[j], l->lower[j]), l->upper[j]);
            better = cevns_fast_chi2(l, trial, n, NULL);
            if (better < value)
                break;
        }
        if (!(better < value)) {
            better = beside(l, theta, n, is_free, hessian, value, trial);
            damping = 1e-3;
        }
        if (!(better < value))
            break;
        flat = value - better < 1e-14 * (1 + value); /* only rounding is left */
        memcpy(theta, trial, n * sizeof(double));
        value = better;
        damping = fmax(damping / 10, 1e-12);
    }
    free(room);
    free(is_free);
    return value;
}

double cevns_fast_pulls(const cevns_fast_likelihood *l, const double *theta, size_t n, double *pulls)
{
    double own[ON_STACK], *work = room(l, own), value = INFINITY;
    point at;
    if (work) {
        place(l, work, &at);
        value = evaluate(l, theta, n, 0, &at);
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
        place(l, work, &at);
        value = evaluate(l, theta, n, 0, &at);
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
        place(l, work, &at);
    for (size_t i = 0; i < points; i++) {
        chi2[i] = INFINITY;
        if (work) {
            memcpy(at.signal, signal + i * l->bins, l->bins * sizeof(double));
            memset(at.response, 0, l->nuisances * l->bins * sizeof(double));
            respond(l, NULL, 1, &at);
            double value = profile(l, 1, &at);
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
    return index < l->parameters ? l->names + index * LONGEST_NAME : NULL;
}

void cevns_fast_bounds(const cevns_fast_likelihood *l, size_t index, double *lower, double *upper)
{
    *lower = index < l->parameters ? l->lower[index] : NAN;
    *upper = index < l->parameters ? l->upper[index] : NAN;
}

/* ---- reading --------------------------------------------------------------------------------------------- */

/* A block is read from its beginning to its end; what runs over is refused. */
typedef struct {
    const double *next;
    size_t left;
    int failed;
} reader;

/* The next rows * columns numbers. */
static const double *take(reader *r, size_t rows, size_t columns)
{
    size_t n = rows * columns;
    if (columns > 0 && rows > r->left / columns) {
        r->failed = 1;
        return NULL;
    }
    const double *found = r->next;
    r->next += n;
    r->left -= n;
    return found;
}

static double number(reader *r)
{
    const double *found = take(r, 1, 1);
    return found ? *found : 0;
}

static size_t count(reader *r)
{
    double found = number(r);
    if (!(found >= 0 && found <= 1e9 && found == floor(found))) {
        r->failed = 1;
        return 0;
    }
    return (size_t)found;
}

static void read_experiment(cevns_fast_likelihood *l, reader *r, experiment *e)
{
    e->first_bin = l->bins;
    e->statistic = (enum statistic)count(r);
    e->bins = count(r);
    e->shape_variance = number(r);
    e->off_on_ratio = number(r);
    e->factor = number(r);
    e->data = take(r, e->bins, 1);
    e->weight = take(r, e->bins, 1);
    e->background = take(r, e->bins, 1);
    e->base = take(r, e->bins, 1);
    e->scale = take(r, l->nuisances, 1);
    e->morph = take(r, l->nuisances, 1);
    e->shift = take(r, l->nuisances, e->bins);
    e->tables = count(r);
    e->pieces = count(r);
    e->degree = count(r);
    e->breaks = take(r, e->pieces + 1, 1);
    size_t sizes[] = {e->degree + 1, e->tables, l->monomials, e->bins}, total = e->pieces;
    for (int i = 0; i < 4; i++) { /* a product that might overflow cannot be what is left */
        r->failed |= sizes[i] > 0 && total > r->left / sizes[i];
        total = r->failed ? 0 : total * sizes[i];
    }
    e->coefficients = take(r, total, 1);
    for (size_t k = 0; !r->failed && k < l->nuisances; k++)
        r->failed |= !(e->morph[k] >= 0 && e->morph[k] < (double)e->tables);
    r->failed |= e->statistic > POISSON || e->bins == 0 || e->tables == 0 || e->pieces == 0;
    l->bins += e->bins;
    l->outputs += e->tables * l->monomials * e->bins;
    l->poisson |= e->statistic == POISSON;
}

/* Indices from `lowest` to below a limit; -1 becomes NONE. */
static void read_indices(reader *r, size_t n, double lowest, size_t limit, size_t *out)
{
    const double *found = take(r, n, 1);
    for (size_t i = 0; found && i < n; i++) {
        r->failed |= !(found[i] >= lowest && found[i] < (double)limit && found[i] == floor(found[i]));
        out[i] = !r->failed && found[i] >= 0 ? (size_t)found[i] : NONE;
    }
}

static void read_all(cevns_fast_likelihood *l, reader *r)
{
    r->failed |= number(r) != MAGIC;
    l->parameters = count(r);
    l->couplings = count(r);
    l->monomials = count(r);
    l->nuisances = count(r);
    l->experiments = count(r);
    if (r->failed)
        return;
    l->lower = take(r, l->parameters, 1);
    l->upper = take(r, l->parameters, 1);
    const double *names = take(r, l->parameters, LONGEST_NAME);
    size_t factors = count(r), limits[] = {l->parameters, l->parameters, factors + 1, l->couplings, 100, l->parameters};
    double lowest[] = {0, -1, 0, 0, 1, -1};
    size_t sizes[] = {l->couplings, 1, l->monomials + 1, factors, factors, l->nuisances}, total = 0;
    for (int i = 0; i < 6; i++)
        total += sizes[i];
    if (r->failed || total > r->left || !(l->indices = malloc((total + 1) * sizeof(size_t)))) {
        r->failed = 1;
        return;
    }
    size_t *next[6] = {l->indices};
    for (int i = 0; i < 6; i++) {
        read_indices(r, sizes[i], lowest[i], limits[i], next[i]);
        if (i < 5)
            next[i + 1] = next[i] + sizes[i];
    }
    l->centre = take(r, l->nuisances, 1);
    l->offset = take(r, l->nuisances, 1);
    l->mix = take(r, l->nuisances, l->nuisances);
    if (r->failed || l->experiments > r->left) {
        r->failed = 1;
        return;
    }
    l->names = malloc(l->parameters * LONGEST_NAME + 1);
    l->experiment = calloc(l->experiments, sizeof(experiment));
    l->prior = calloc(l->nuisances * l->nuisances + 1, sizeof(double));
    if (!l->names || !l->experiment || !l->prior) {
        r->failed = 1;
        return;
    }
    for (size_t k = 0, n = l->nuisances; k < n; k++)
        for (size_t j = 0; j < n; j++) {
            l->mixed |= l->mix[k * n + j] != (j == k);
            for (size_t i = 0; i < n; i++)
                l->prior[k * n + j] += l->mix[i * n + k] * l->mix[i * n + j];
        }
    l->coupling_at = next[0], l->x_at = next[1][0], l->first_factor = next[2];
    l->factor = next[3], l->power = next[4], l->nuisance_at = next[5];
    for (size_t i = 0; i < l->parameters * LONGEST_NAME; i++)
        l->names[i] = names[i] >= 0 && names[i] <= 255 ? (char)(unsigned char)names[i] : '?';
    for (size_t i = 0; i < l->parameters; i++)
        l->names[(i + 1) * LONGEST_NAME - 1] = '\0';
    for (size_t k = 0; k < l->nuisances; k++)
        l->profiled += l->nuisance_at[k] == NONE;
    for (size_t i = 0; i < l->experiments && !r->failed; i++)
        read_experiment(l, r, l->experiment + i);
    l->workspace = work_of(l);
    l->plain = !r->failed && is_plain(l);
}

cevns_fast_likelihood *cevns_fast_create(const double *block, size_t length)
{
    cevns_fast_likelihood *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->block = length > 0 ? malloc(length * sizeof(double)) : NULL;
    reader r = {l->block, length, l->block == NULL};
    if (l->block) {
        memcpy(l->block, block, length * sizeof(double));
        read_all(l, &r);
    }
    if (r.failed || r.left) {
        cevns_fast_close(l);
        return NULL;
    }
    return l;
}

cevns_fast_likelihood *cevns_fast_open(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    cevns_fast_likelihood *l = NULL;
    double head; /* the length comes first in a file */
    if (fread(&head, sizeof head, 1, file) == 1 && head > 0 && head < 1e9) {
        size_t length = (size_t)head;
        double *block = malloc(length * sizeof(double));
        if (block && fread(block, sizeof(double), length, file) == length)
            l = cevns_fast_create(block, length);
        free(block);
    }
    fclose(file);
    return l;
}

void cevns_fast_close(cevns_fast_likelihood *l)
{
    if (!l)
        return;
    free(l->block);
    free(l->indices);
    free(l->names);
    free(l->experiment);
    free(l->prior);
    free(l);
}
