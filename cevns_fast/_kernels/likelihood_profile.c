/* chi2 of the expectation, minimised over the nuisances that are profiled: Newton's method. */
#include "likelihood_types.h"

enum { NEWTON_STEPS = 100, CURVED_STEPS = 1000, MOST_HELD = 20 };
/* A decrement of Newton's method below which a full step is known to lead closer: Poisson losses are self-concordant. */
static const double NEAR = 0.06;

/* Half the slope of the penalty in c_k. */
double cevns_fast_tension(const cevns_fast_likelihood *l, size_t k, const point *at)
{
    double sum = 0;
    for (size_t i = 0; i < l->nuisances; i++)
        sum += l->mix[i * l->nuisances + k] * (l->strength[i] * at->excess[i]);
    return sum;
}

/* The rows and columns of the profiled nuisances in the lower triangle of full[nuisances][nuisances]. */
static size_t compress(const cevns_fast_likelihood *l, int all_profiled, const double *full, double *out)
{
    size_t n = l->nuisances, size = 0, row = 0;
    for (size_t k = 0; k < n; k++)
        size += is_profiled(l, k, all_profiled);
    for (size_t k = 0; k < n; k++) {
        if (!is_profiled(l, k, all_profiled))
            continue;
        for (size_t j = 0, column = 0; j <= k; j++)
            if (is_profiled(l, j, all_profiled))
                out[row * size + column++] = full[k * n + j];
        row++;
    }
    return size;
}

/* With the whole curvature; if that is not positive, with that of a straight expectation, which always is but where
 * nothing depends on a nuisance that nothing constrains: it then stays. */
static void solve_curved(const cevns_fast_likelihood *l, int all_profiled, const double *half, double *matrix,
                         const point *at)
{
    size_t n = l->nuisances;
    for (int straight = l->bends ? 0 : 1; straight < 3; straight++) {
        for (size_t k = 0; straight == 0 && k < n * n; k++)
            at->curve[k] = at->gram[k] + 0.5 * at->curve[k];
        size_t size = compress(l, all_profiled, straight ? at->gram : at->curve, matrix);
        for (size_t i = 0; straight == 2 && i < size; i++) {
            double *diagonal = matrix + i * size + i;
            *diagonal = *diagonal > 0 ? *diagonal * (1 + 1e-8) : 1;
        }
        memcpy(at->step, half, size * sizeof(double));
        if (cevns_fast_solve(size, matrix, at->step))
            return;
    }
}

/* Half the curvature in the profiled nuisances, and the step that a quadratic loss wants; half its decrease. */
static double newton(const cevns_fast_likelihood *l, int all_profiled, const point *at)
{
    size_t n = l->nuisances, size = 0;
    double *half = at->rest, *weighted = half + n, *matrix = weighted + l->bins, decrement = 0;
    memcpy(at->gram, l->prior, n * n * sizeof(double));
    for (size_t k = 0; k < n; k++)
        half[k] = is_profiled(l, k, all_profiled) ? -cevns_fast_tension(l, k, at) : 0;
    for (size_t i = 0; i < l->experiments; i++) {
        const experiment *e = l->experiment + i;
        const double *restrict weight = at->weight + e->first_bin, *restrict slope = at->slope + e->first_bin;
        for (size_t a = 0; a < e->acting; a++) {
            size_t k = e->active[a];
            const double *restrict mine = at->response + k * l->bins + e->first_bin;
            if (!is_profiled(l, k, all_profiled))
                continue;
            half[k] -= 0.5 * dot(e->bins, slope, mine);
            for (size_t b = 0; b < e->bins; b++)
                weighted[b] = weight[b] * mine[b];
            for (size_t c = 0; c <= a; c++)
                if (is_profiled(l, e->active[c], all_profiled))
                    at->gram[k * n + e->active[c]] +=
                        dot(e->bins, weighted, at->response + e->active[c] * l->bins + e->first_bin);
        }
    }
    if (l->bends)
        cevns_fast_bend(l, at);
    for (size_t k = 0; k < n; k++)
        if (is_profiled(l, k, all_profiled))
            half[size++] = half[k];
    if (l->curved)
        solve_curved(l, all_profiled, half, matrix, at);
    else {
        memcpy(at->step, half, size * sizeof(double));
        compress(l, all_profiled, at->gram, at->gram);
        cevns_fast_solve(size, at->gram, at->step);
    }
    for (size_t i = 0; i < size; i++)
        decrement += half[i] * at->step[i];
    for (size_t k = n; k-- > 0;) /* one entry for every nuisance again */
        at->step[k] = is_profiled(l, k, all_profiled) ? at->step[--size] : 0;
    return decrement;
}

/* Nuisances at solved + t step. */
static void settle(const cevns_fast_likelihood *l, double t, const point *at)
{
    for (size_t k = 0; k < l->nuisances; k++) {
        at->solved[k] += t * at->step[k];
        at->step[k] = 0;
    }
}

/* How far a step may go that leads from mu `before` beyond zero: nearly there. Half of it where that is not known. */
static double held(const cevns_fast_likelihood *l, const point *at)
{
    double share = 1;
    for (size_t i = 0; i < l->experiments; i++) {
        const experiment *e = l->experiment + i;
        for (size_t b = e->first_bin; e->statistic == POISSON && b < e->first_bin + e->bins; b++)
            if (at->mu[b] < 0 && at->before[b] < share * (at->before[b] - at->mu[b]))
                share = at->before[b] / (at->before[b] - at->mu[b]);
    }
    return share < 1 && share > 0 ? 0.99 * share : 0.5;
}

/* Newton's method for the profiled nuisances from where they are, with chi2 `value`, NaN if nobody looked; whether it
 * got to the minimum. Close to it full steps are taken without a look, as long as decrements shrink as they must. */
static int descend(const cevns_fast_likelihood *l, int all_profiled, double least, int smooth, const point *at,
                   double *value)
{
    double last = INFINITY; /* decrement of a step that was taken without a look */
    int times = 0;
    for (int step = 0; step < (l->bends ? CURVED_STEPS : NEWTON_STEPS) && !isinf(*value); step++) {
        double decrement = newton(l, all_profiled, at), t = 1, trial;
        int away = 0; /* whether mu is not that of `solved` */
        if (smooth && decrement < NEAR && decrement < 0.25 * last) {
            double penalty = cevns_fast_expect(l, 1, all_profiled, at);
            if (decrement < 1e-12) {
                trial = penalty + cevns_fast_losses(l, least, at);
                settle(l, 1, at);
                *value = trial;
                return isfinite(trial);
            }
            if (cevns_fast_slopes(l, least, at)) {
                settle(l, 1, at);
                last = decrement;
                *value = NAN;
                continue;
            }
            away = 1;
        }
        double penalty = away || isnan(*value) ? cevns_fast_expect(l, 0, all_profiled, at) : 0;
        if (isnan(*value))
            *value = penalty + cevns_fast_losses(l, least, at);
        last = INFINITY;
        memcpy(at->before, at->mu, l->bins * sizeof(double));
        double shortest = 1e-10;
        while (!((trial = cevns_fast_expect(l, t, all_profiled, at) + cevns_fast_losses(l, least, at)) <= *value) &&
               decrement > 1e-13 * *value && t > shortest) {
            double by = t == 1 && !isfinite(trial) ? held(l, at) : 0.5;
            if (by != 0.5) {
                shortest *= by;
                times++;
            }
            t *= by;
        }
        if (!isfinite(trial) || t <= shortest || times > MOST_HELD)
            return 0;
        *value = trial;
        settle(l, t, at);
        if (decrement < fmax(1e-12, 1e-15 * trial)) /* of a huge chi2 only rounding is left */
            return 1;
    }
    return 0;
}

/* The profiled nuisances where a = centre. */
static void nominal(const cevns_fast_likelihood *l, int all_profiled, const point *at)
{
    for (size_t k = 0; k < l->nuisances; k++) {
        at->step[k] = 0;
        if (is_profiled(l, k, all_profiled))
            at->solved[k] = l->offset[k] + l->centre[k];
    }
}

/* chi2 with the profiled nuisances where a = centre, which any counts should allow. */
static double begin(const cevns_fast_likelihood *l, int all_profiled, double least, const point *at)
{
    nominal(l, all_profiled, at);
    return cevns_fast_expect(l, 0, all_profiled, at) + cevns_fast_losses(l, least, at);
}

/* Profiled nuisances where Gaussian counts would have their minimum; a quadratic loss is there after this one step. */
static void guess(const cevns_fast_likelihood *l, int all_profiled, const point *at)
{
    if (l->poisson || l->bends) {
        nominal(l, all_profiled, at);
        cevns_fast_expect(l, 0, all_profiled, at);
        cevns_fast_guess_weights(l, at);
    }
    for (size_t k = 0; !l->bends && k < l->nuisances; k++) /* from zero, where nothing cancels */
        if (is_profiled(l, k, all_profiled))
            at->solved[k] = 0;
    cevns_fast_expect(l, 0, all_profiled, at);
    cevns_fast_guess_slopes(l, at);
    newton(l, all_profiled, at);
    settle(l, 1, at);
}

/* Slopes where the nuisances are; and chi2, or NaN where nobody needs to look. Whether that is possible. */
static int look(const cevns_fast_likelihood *l, int all_profiled, int smooth, const point *at, double *value)
{
    double penalty = cevns_fast_expect(l, 0, all_profiled, at);
    *value = smooth ? NAN : penalty + cevns_fast_losses(l, 0, at);
    return smooth ? cevns_fast_slopes(l, 0, at) : isfinite(*value);
}

/* chi2, minimised over the profiled nuisances. */
double cevns_fast_profile(const cevns_fast_likelihood *l, int all_profiled, const point *at)
{
    if (!cevns_fast_weigh(l, at))
        return INFINITY;
    int any = 0, iterates = l->poisson || l->curved;
    for (size_t k = 0; k < l->nuisances; k++) {
        at->step[k] = 0;
        any |= is_profiled(l, k, all_profiled);
    }
    double value;
    if (!any || !iterates) {
        if (any)
            guess(l, all_profiled, at);
        value = cevns_fast_expect(l, 0, all_profiled, at);
        value += cevns_fast_losses(l, 0, at);
    } else {
        int smooth = !cevns_fast_kinked(l);
        if (!at->warm || !look(l, all_profiled, smooth, at, &value)) {
            guess(l, all_profiled, at);
            if (!look(l, all_profiled, smooth, at, &value)) /* no counts can be expected there */
                value = begin(l, all_profiled, 0, at);
        }
        /* Where nothing was counted the loss ends or has a kink at mu = 0. If that is where the minimum is, it is
         * found from inside, with a vanishing fraction of a count. */
        if (!isinf(value) && !descend(l, all_profiled, 0, smooth, at, &value)) {
            value = begin(l, all_profiled, 1e-2, at);
            for (double least = 1e-2; least > 1e-15 && isfinite(value); least *= 1e-2) {
                value = cevns_fast_expect(l, 0, all_profiled, at) + cevns_fast_losses(l, least, at);
                descend(l, all_profiled, least, 0, at, &value);
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
    cevns_fast_signal(l, theta, order, at);
    cevns_fast_respond(l, theta, 0, at);
    if (order > 0)
        cevns_fast_clear_others(l, at);
    double value = cevns_fast_profile(l, 0, at);
    return isnan(value) ? INFINITY : value;
}
