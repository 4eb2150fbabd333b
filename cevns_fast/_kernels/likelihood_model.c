/* Signal counts, polynomials in couplings whose coefficients are piecewise polynomials in x; and chi2 of the
 * expectation that they make, minimised over the nuisances that are profiled. */
#include "likelihood.h"

#include <stdint.h>

enum { NEWTON_STEPS = 100, CURVED_STEPS = 1000, MOST_HELD = 20 };
/* A decrement of Newton's method below which a full step is known to lead closer: Poisson losses are self-concordant. */
static const double NEAR = 0.06;

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
static void clear_others(const cevns_fast_likelihood *l, const point *at)
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

/* ---- the loss -------------------------------------------------------------------------------------------- */

/* n ln(n/m) - (n - m) for m > 0, without cancellation near m = n. */
static double poisson_half(double n, double m)
{
    if (n <= 0)
        return m;
    double r = (m - n) / n;
    return n * (r - log1p(r));
}

/* Four sums at a time, as in `dot`. */
static double sum(size_t n, const double *restrict a)
{
    double found[4] = {0, 0, 0, 0};
    size_t i = 0;
    for (; i + 4 <= n; i += 4)
        for (size_t j = 0; j < 4; j++)
            found[j] += a[i + j];
    for (; i < n; i++)
        found[0] += a[i];
    return (found[0] + found[1]) + (found[2] + found[3]);
}

/* The same for many counts in a loop that vectors serve: with m/n = 2^e (1 + f) and s = f/(2 + f), the logarithm is
 * e ln 2 + f - f^2/2 + s (f^2/2 + R(s^2)), with the polynomial R of the Sun math library (fdlibm, e_log.c). */
static void poisson_halves(size_t bins, const double *restrict data, double least, const double *restrict mu,
                           double *restrict out)
{
    const uint64_t one = 0x3ff0000000000000, half_root = 0x3fe6a09e667f3bcd, magic = 0x4330000000000000;
    for (size_t b = 0; b < bins; b++) {
        double n = data[b] > least ? data[b] : least, counted = n > 0 ? n : 1, inverse = 1 / counted;
        double r = (mu[b] - counted) * inverse, q = mu[b] * inverse, e, f, s, z, R, square, rest;
        uint64_t bits, shifted, mantissa;
        memcpy(&bits, &q, sizeof bits);
        shifted = (bits + (one - half_root)) >> 52; /* e + 1023 */
        mantissa = bits - (shifted << 52) + one;
        bits = shifted | magic; /* 2^52 + e + 1023 as a number */
        memcpy(&e, &bits, sizeof e);
        memcpy(&f, &mantissa, sizeof f);
        e -= 0x1p52 + 1023;
        f -= 1;
        f = shifted == 1023 ? r : f;
        square = 0.5 * f * f, s = f / (2 + f), z = s * s;
        R = z * (6.666666666666735130e-01 +
                 z * (3.999999999940941908e-01 +
                      z * (2.857142874366239149e-01 +
                           z * (2.222219843214978396e-01 +
                                z * (1.818357216161805012e-01 +
                                     z * (1.531383769920937332e-01 + z * 1.479819860511658591e-01))))));
        rest = n * ((r - f) - e * 6.93147180559945286227e-01 + (square - s * (square + R)));
        out[b] = n > 0 ? rest : mu[b];
    }
}

/* Loss of on counts n and off counts at expectation mu, minimised over the background b >= 0 that both see. */
static double on_off(double n, double off, double ratio, double mu, double *slope, double *weight)
{
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

/* Slopes of Poisson counts beside a known background; whether mu is possible. */
static int slopes_of_known(size_t bins, const double *restrict data, double least, const double *restrict mu,
                           double *restrict slope, double *restrict weight)
{
    int impossible = 0;
    for (size_t b = 0; b < bins; b++) {
        double n = data[b] > least ? data[b] : least, ratio = n / mu[b], bent = ratio / mu[b];
        slope[b] = n > 0 ? 2 * (1 - ratio) : 2;
        weight[b] = n > 0 ? bent : 0;
        impossible |= !(mu[b] > 0) & !((mu[b] == 0) & (n <= 0));
    }
    return !impossible;
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
        if (e->statistic == POISSON && isinf(e->off_on_ratio)) {
            if (!slopes_of_known(e->bins, data, least, mu, slope, weight))
                return INFINITY;
            poisson_halves(e->bins, data, least, mu, at->rest);
            total += 2 * sum(e->bins, at->rest);
        } else if (e->statistic == POISSON)
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

/* The slopes alone, which need no logarithms; whether the loss is finite. */
static int slopes(const cevns_fast_likelihood *l, double least, const point *at)
{
    for (size_t i = 0; i < l->experiments; i++) {
        const experiment *e = l->experiment + i;
        const double *restrict mu = at->mu + e->first_bin, *restrict data = e->data;
        double *restrict slope = at->slope + e->first_bin, *restrict weight = at->weight + e->first_bin;
        if (e->statistic == POISSON && isinf(e->off_on_ratio)) {
            if (!slopes_of_known(e->bins, data, least, mu, slope, weight))
                return 0;
        } else if (e->statistic == POISSON) {
            for (size_t b = 0; b < e->bins; b++)
                if (!isfinite(on_off(fmax(data[b], least), fmax(e->weight[b], least), e->off_on_ratio, mu[b],
                                     slope + b, weight + b)))
                    return 0;
        } else
            for (size_t b = 0; b < e->bins; b++)
                slope[b] = 2 * weight[b] * (mu[b] - data[b]);
    }
    return 1;
}

/* 1/variance of all bins that are not Poisson; whether all variances are positive. */
static int weigh(const cevns_fast_likelihood *l, const point *at)
{
    for (size_t i = 0; i < l->experiments; i++) {
        const experiment *e = l->experiment + i;
        double *restrict weight = at->weight + e->first_bin;
        if (e->statistic == FIXED_VARIANCE)
            memcpy(weight, e->weight, e->bins * sizeof(double));
        for (size_t b = 0; e->statistic == PREDICTED_VARIANCE && b < e->bins; b++) {
            double shape = at->signal[e->first_bin + b] + e->background[b];
            double variance = at->signal[e->first_bin + b] + e->weight[b] + e->shape_variance * shape * shape;
            if (!(variance > 0))
                return 0;
            weight[b] = 1 / variance;
        }
    }
    return 1;
}

/* Weights of Poisson counts for a first guess: what mu says of their variance, or else what counts alone would say. */
static void guess_weights(const cevns_fast_likelihood *l, const point *at)
{
    for (size_t i = 0; i < l->experiments; i++) {
        const experiment *e = l->experiment + i;
        double *restrict weight = at->weight + e->first_bin;
        const double *restrict mu = at->mu + e->first_bin;
        int known = isinf(e->off_on_ratio);
        for (size_t b = 0; e->statistic == POISSON && b < e->bins; b++) {
            double counted = e->data[b] + (known ? 0 : e->weight[b] / (e->off_on_ratio * e->off_on_ratio)) + 1;
            weight[b] = 1 / (known && mu[b] > 0 ? mu[b] : counted);
        }
    }
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

/* gram x = x, as `solve` does it; 0 if gram is not positive definite, and x is then of no use. */
static int solve_definite(size_t n, double *restrict gram, double *restrict x)
{
    for (size_t i = 0; i < n; i++) {
        double *row = gram + i * n, before = row[i];
        for (size_t j = 0; j < i; j++) {
            for (size_t k = 0; k < j; k++)
                row[j] -= row[k] * gram[j * n + k];
            x[i] -= row[j] / gram[j * n + j] * x[j];
        }
        for (size_t j = 0; j < i; j++) {
            double ratio = row[j] / gram[j * n + j];
            row[i] -= ratio * row[j];
            row[j] = ratio;
        }
        if (!(row[i] > 1e-13 * fabs(before)))
            return 0;
    }
    for (size_t i = n; i-- > 0;) {
        x[i] /= gram[i * n + i];
        for (size_t k = i + 1; k < n; k++)
            x[i] -= gram[k * n + i] * x[k];
    }
    return 1;
}

/* mu, and the penalty of all nuisances at solved + t step. */
static double expect(const cevns_fast_likelihood *l, double t, int all_profiled, const point *at)
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
        if (solve_definite(size, matrix, at->step))
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
static int descend(const cevns_fast_likelihood *l, int all_profiled, double least, const point *at, double *value)
{
    double last = INFINITY; /* decrement of a step that was taken without a look */
    int times = 0, smooth = !l->kinked && least == 0;
    for (int step = 0; step < (l->bends ? CURVED_STEPS : NEWTON_STEPS) && !isinf(*value); step++) {
        double decrement = newton(l, all_profiled, at), t = 1, trial;
        if (smooth && decrement < NEAR && decrement < 0.25 * last) {
            double penalty = expect(l, 1, all_profiled, at);
            if (decrement < 1e-12) {
                trial = penalty + losses(l, least, at);
                settle(l, 1, at);
                *value = trial;
                return isfinite(trial);
            }
            if (slopes(l, least, at)) {
                settle(l, 1, at);
                last = decrement;
                *value = NAN;
                continue;
            }
        }
        double penalty = expect(l, 0, all_profiled, at);
        if (isnan(*value))
            *value = penalty + losses(l, least, at);
        last = INFINITY;
        memcpy(at->before, at->mu, l->bins * sizeof(double));
        double shortest = 1e-10;
        while (!((trial = expect(l, t, all_profiled, at) + losses(l, least, at)) <= *value) &&
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
    return expect(l, 0, all_profiled, at) + losses(l, least, at);
}

/* Profiled nuisances where Gaussian counts would have their minimum; a quadratic loss is there after this one step. */
static void guess(const cevns_fast_likelihood *l, int all_profiled, const point *at)
{
    if (l->poisson || l->bends) {
        nominal(l, all_profiled, at);
        expect(l, 0, all_profiled, at);
        guess_weights(l, at);
    }
    for (size_t k = 0; !l->bends && k < l->nuisances; k++) /* from zero, where nothing cancels */
        if (is_profiled(l, k, all_profiled))
            at->solved[k] = 0;
    expect(l, 0, all_profiled, at);
    guess_slopes(l, at);
    newton(l, all_profiled, at);
    settle(l, 1, at);
}

/* chi2, minimised over the profiled nuisances. */
double cevns_fast_profile(const cevns_fast_likelihood *l, int all_profiled, const point *at)
{
    if (!weigh(l, at))
        return INFINITY;
    int any = 0, iterates = l->poisson || l->curved;
    for (size_t k = 0; k < l->nuisances; k++) {
        at->step[k] = 0;
        any |= is_profiled(l, k, all_profiled);
    }
    double value = NAN, penalty = 0;
    int possible = 0;
    if (any && iterates && at->warm) {
        expect(l, 0, all_profiled, at);
        possible = slopes(l, 0, at);
    }
    if (!possible) {
        if (any)
            guess(l, all_profiled, at);
        penalty = expect(l, 0, all_profiled, at);
    }
    if (!any || !iterates)
        value = penalty + losses(l, 0, at);
    else {
        if (!possible && !slopes(l, 0, at)) /* no counts can be expected there */
            value = begin(l, all_profiled, 0, at);
        /* Where nothing was counted the loss ends or has a kink at mu = 0. If that is where the minimum is, it is
         * found from inside, with a vanishing fraction of a count. */
        if (!isinf(value) && !descend(l, all_profiled, 0, at, &value)) {
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
    if (order > 0)
        clear_others(l, at);
    double value = cevns_fast_profile(l, 0, at);
    return isnan(value) ? INFINITY : value;
}

void cevns_fast_predict(const cevns_fast_likelihood *l, const double *theta, point *at)
{
    predict(l, theta, 0, at);
    cevns_fast_respond(l, theta, 1, at);
    clear_others(l, at);
    memset(at->step, 0, l->nuisances * sizeof(double));
    expect(l, 0, 1, at);
}
