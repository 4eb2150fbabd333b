/* Signal counts, polynomials in couplings whose coefficients are piecewise polynomials in x; and chi2 of the
 * expectation that they make, minimised over the nuisances that are profiled. */
#include "likelihood.h"

enum { NEWTON_STEPS = 100, CURVED_STEPS = 1000 };

/* ---- the signal ------------------------------------------------------------------------------------------ */

/* Coefficients of all monomials of all experiments at x, with `order` derivatives. */
void cevns_fast_tables_at(const cevns_fast_likelihood *l, double x, int order, point *at)
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
static void predict(const cevns_fast_likelihood *l, const double *theta, int order, point *at)
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
            if (l->curved) {
                double *restrict part = at->part + k * l->bins + e->first_bin;
                for (size_t b = 0; b < e->bins; b++)
                    part[b] = (e->morph[k] > 0 ? response[b] : 0) + scale * signal[b];
            } else if (e->morph[k] > 0)
                for (size_t b = 0; b < e->bins; b++)
                    response[b] += scale * signal[b] + shift[b];
            else
                for (size_t b = 0; b < e->bins; b++)
                    response[b] = scale * signal[b] + shift[b];
            if (!all_profiled && l->nuisance_at[k] != NONE) {
                double a = at->solved[k] = theta[l->nuisance_at[k]];
                for (size_t b = 0; !l->curved && b < e->bins; b++)
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
            size_t j = e->first_bin + b;
            at->slope[j] = 2 * at->weight[j] * (at->mu[j] - e->data[b] + off);
        }
    }
}

/* ---- the nuisances --------------------------------------------------------------------------------------- */

/* Solve gram x = x for a positive definite gram[n][n], given and decomposed as L D L^T in its lower triangle. */
void cevns_fast_solve(size_t n, double *restrict gram, double *restrict x)
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

typedef struct {
    size_t from, to;
} range;

/* The bins of the experiments that a nuisance acts on, in fours as `dot` sums; elsewhere its response is zero. */
static range reach_of(const cevns_fast_likelihood *l, size_t k)
{
    size_t first = l->reach[2 * k], end = l->reach[2 * k + 1];
    if (first >= end)
        return (range){0, 0};
    size_t from = l->experiment[first].first_bin, to = l->experiment[end - 1].first_bin + l->experiment[end - 1].bins;
    from -= from % 4;
    to += (4 - to % 4) % 4;
    return (range){from, to < l->bins ? to : l->bins};
}

/* mu, and the penalty of all nuisances at solved + t step. */
static double expect(const cevns_fast_likelihood *l, double t, int all_profiled, const point *at)
{
    size_t n = l->nuisances;
    double penalty = 0;
    if (l->curved)
        cevns_fast_curve(l, t, at);
    else
        memcpy(at->mu, at->fixed, l->bins * sizeof(double));
    for (size_t k = 0; k < n; k++) {
        at->excess[k] = -l->centre[k];
        for (size_t j = l->mixed ? 0 : k, end = l->mixed ? n : k + 1; j < end; j++)
            at->excess[k] += l->mix[k * n + j] * (at->solved[j] + t * at->step[j] - l->offset[j]);
        penalty += l->strength[k] * (at->excess[k] * at->excess[k]);
        if (l->curved || !is_profiled(l, k, all_profiled))
            continue;
        double c = at->solved[k] + t * at->step[k];
        const double *restrict response = at->response + k * l->bins;
        range moved = reach_of(l, k);
        for (size_t b = moved.from; b < moved.to; b++)
            at->mu[b] += c * response[b];
    }
    return penalty;
}

/* Half the slope of the penalty in c_k. */
double cevns_fast_tension(const cevns_fast_likelihood *l, size_t k, const point *at)
{
    double sum = 0;
    for (size_t i = 0; i < l->nuisances; i++)
        sum += l->mix[i * l->nuisances + k] * (l->strength[i] * at->excess[i]);
    return sum;
}

static size_t max_of(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t min_of(size_t a, size_t b)
{
    return a < b ? a : b;
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
        range moved = reach_of(l, k);
        double slope = dot(moved.to - moved.from, at->slope + moved.from, mine + moved.from);
        at->step[n++] = -cevns_fast_tension(l, k, at) - 0.5 * slope;
    }
    for (size_t k = 0, row = 0; k < l->nuisances; k++) {
        if (!is_profiled(l, k, all_profiled))
            continue;
        const double *restrict mine = at->response + k * l->bins;
        double *restrict weighted = at->rest + l->nuisances;
        range moved = reach_of(l, k);
        for (size_t b = moved.from; b < moved.to; b++)
            weighted[b] = at->weight[b] * mine[b];
        for (size_t j = 0, column = 0; j <= k; j++) {
            if (!is_profiled(l, j, all_profiled))
                continue;
            range other = reach_of(l, j);
            size_t from = max_of(other.from, moved.from), to = min_of(other.to, moved.to);
            at->gram[row * n + column++] =
                l->prior[k * l->nuisances + j] +
                (from < to ? dot(to - from, weighted + from, at->response + j * l->bins + from) : 0);
        }
        row++;
    }
    double *half = at->rest;
    memcpy(half, at->step, n * sizeof(double));
    cevns_fast_solve(n, at->gram, at->step);
    for (size_t i = 0; i < n; i++)
        decrement += half[i] * at->step[i];
    for (size_t k = l->nuisances; k-- > 0;) /* one entry for every nuisance again */
        at->step[k] = is_profiled(l, k, all_profiled) ? at->step[--n] : 0;
    return decrement;
}

/* Newton's method for the profiled nuisances from where they are, with chi2 `value`; whether it got to the minimum. */
static int descend(const cevns_fast_likelihood *l, int all_profiled, double least, const point *at, double *value)
{
    for (int step = 0; step < (l->curved ? CURVED_STEPS : NEWTON_STEPS) && isfinite(*value); step++) {
        double decrement = (l->curved ? cevns_fast_curved_newton : newton)(l, all_profiled, at), t = 1, trial;
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
double cevns_fast_profile(const cevns_fast_likelihood *l, int all_profiled, const point *at)
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
    double value;
    if (l->curved)
        value = begin(l, all_profiled, 0, at);
    else {
        expect(l, 0, all_profiled, at);
        if (any) { /* from zero: a quadratic loss is at its minimum after one step */
            guess_slopes(l, at);
            newton(l, all_profiled, at);
            for (size_t k = 0; k < l->nuisances; k++) {
                at->solved[k] += at->step[k];
                at->step[k] = 0;
            }
        }
        value = expect(l, 0, all_profiled, at) + losses(l, 0, at);
    }
    if (any && (l->poisson || l->curved)) {
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

/* chi2 at theta, with everything that derivatives are made of. */
double cevns_fast_evaluate(const cevns_fast_likelihood *l, const double *theta, size_t n, int order, point *at)
{
    if (!is_inside(l, theta, n))
        return INFINITY;
    predict(l, theta, order, at);
    cevns_fast_respond(l, theta, 0, at);
    double value = cevns_fast_profile(l, 0, at);
    return isnan(value) ? INFINITY : value;
}

void cevns_fast_predict(const cevns_fast_likelihood *l, const double *theta, point *at)
{
    predict(l, theta, 0, at);
    cevns_fast_respond(l, theta, 1, at);
    memset(at->step, 0, l->nuisances * sizeof(double));
    expect(l, 0, 1, at);
}
