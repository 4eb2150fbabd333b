/* The statistic: the loss of counts at an expectation, Gaussian or Poisson, with its slope and curvature. */
#include "likelihood_types.h"

#include "machine.h"

#include <float.h>
#include <stdint.h>

/* n ln(n/m) - (n - m) for m > 0, without cancellation near m = n, and m for n = 0; in a form that loops over vectors serve.
 * With m/n = 2^e (1 + f) and s = f/(2 + f), the logarithm is e ln 2 + f - f^2/2 + s (f^2/2 + R(s^2)), with the polynomial
 * R of the Sun math library (fdlibm, e_log.c). */
static INLINE double poisson_half(double n, double m)
{
    const uint64_t one = 0x3ff0000000000000, half_root = 0x3fe6a09e667f3bcd, magic = 0x4330000000000000;
    double counted = n > 0 ? n : 1, inverse = 1 / counted;
    double r = (m - counted) * inverse, q = m * inverse, e, f, s, z, R, square, rest;
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
    return n > 0 ? rest : m;
}

/* The same from the library, which knows zeros and infinities. */
static double poisson_half_of_any(double n, double m)
{
    if (n <= 0)
        return m;
    double r = (m - n) / n;
    return n * (r - log1p(r));
}

/* Four sums at a time, as in `dot`. */
static INLINE double sum(size_t n, const double *restrict a)
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

/* Poisson counts beside a known background: slopes, weights and, if they are wanted, half the losses; whether mu is
 * possible. */
static INLINE int known(const experiment *e, double least, int wanted, const double *restrict mu,
                        double *restrict slope, double *restrict weight, double *restrict half)
{
    const double *restrict data = e->data;
    int impossible = 0;
    for (size_t b = 0; b < e->bins; b++) {
        double n = data[b] > least ? data[b] : least, ratio = n / mu[b], bent = ratio / mu[b];
        slope[b] = n > 0 ? 2 * (1 - ratio) : 2;
        weight[b] = n > 0 ? bent : 0;
        impossible |= !(mu[b] > 0) & !((mu[b] == 0) & (n <= 0));
    }
    for (size_t b = 0; wanted && !impossible && b < e->bins; b++)
        half[b] = poisson_half(data[b] > least ? data[b] : least, mu[b]);
    return !impossible;
}

/* Of on counts n and off counts at expectation mu: half the loss, minimised over the background b >= 0 that both see. */
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
    return poisson_half_of_any(n, total) + poisson_half_of_any(off, ratio * b);
}

/* Poisson counts beside a background that was counted as well, as `known`: the formulas of `on_off` without branches
 * where both counts are one at least, which is where the loss is smooth. */
static INLINE int counted(const experiment *e, double least, int wanted, const double *restrict mu,
                          double *restrict slope, double *restrict weight, double *restrict half)
{
    const double *restrict data = e->data, *restrict off_data = e->weight;
    double ratio = e->off_on_ratio, all = 1 + ratio;
    int impossible = 0, any_few = 0;
    for (size_t b = 0; b < e->bins; b++) {
        double n = data[b] > least ? data[b] : least, off = off_data[b] > least ? off_data[b] : least;
        double difference = all * mu[b] - n + off, root = sqrt(difference * difference + 4 * n * off);
        double p = n + off - all * mu[b], q = n + off + all * mu[b];
        double below = (p > 0 ? p + root : 2 * off * mu[b]) / (p > 0 ? 2 * all : root - p);
        double total = (q > 0 ? q + root : -2 * n * mu[b]) / (q > 0 ? 2 * all : root - q);
        int few = (n < 1) | (off < 1);
        slope[b] = 2 * (1 - n / total);
        weight[b] = n * off / (n * (below * below) + off * (total * total));
        if (wanted)
            half[b] = poisson_half(n, total) + poisson_half(off, ratio * below);
        any_few |= few;
        impossible |= !few & !((below > 0) & (below <= DBL_MAX) & (total > 0) & (total <= DBL_MAX));
    }
    for (size_t b = 0; any_few && b < e->bins; b++) {
        double n = fmax(data[b], least), off = fmax(off_data[b], least);
        if (!(n < 1 || off < 1))
            continue;
        double found = on_off(n, off, ratio, mu[b], slope + b, weight + b);
        if (wanted)
            half[b] = found;
        impossible |= !isfinite(found);
    }
    return !impossible;
}

/* Slopes and weights of all bins at mu and, if they are wanted, the sum of the losses; infinity where one is not defined.
 * Products are not fused with sums, so that bits are those of any machine. */
static INLINE double of_any(const cevns_fast_likelihood *l, double least, int wanted, const point *at)
{
    double total = 0, *restrict half = at->rest;
    for (size_t i = 0; i < l->experiments; i++) {
        const experiment *e = l->experiment + i;
        const double *restrict mu = at->mu + e->first_bin;
        double *restrict slope = at->slope + e->first_bin, *restrict weight = at->weight + e->first_bin;
        if (e->statistic == POISSON) {
            int possible = isinf(e->off_on_ratio) ? known(e, least, wanted, mu, slope, weight, half)
                                                  : counted(e, least, wanted, mu, slope, weight, half);
            if (!possible)
                return INFINITY;
            total += wanted ? 2 * sum(e->bins, half) : 0;
        } else {
            for (size_t b = 0; b < e->bins; b++) {
                half[b] = mu[b] - e->data[b];
                slope[b] = 2 * weight[b] * half[b];
            }
            total += wanted ? 0.5 * dot(e->bins, slope, half) : 0;
        }
    }
    return total;
}

static double losses_of_baseline(const cevns_fast_likelihood *l, double least, const point *at)
{
    return of_any(l, least, 1, at);
}

static double slopes_of_baseline(const cevns_fast_likelihood *l, double least, const point *at)
{
    return of_any(l, least, 0, at);
}

#if defined(HAS_RECENT)
WIDE static double losses_of_recent(const cevns_fast_likelihood *l, double least, const point *at)
{
    return of_any(l, least, 1, at);
}

WIDE static double slopes_of_recent(const cevns_fast_likelihood *l, double least, const point *at)
{
    return of_any(l, least, 0, at);
}
#else
#define recent_machine() 0
#define losses_of_recent losses_of_baseline
#define slopes_of_recent slopes_of_baseline
#endif

double cevns_fast_losses(const cevns_fast_likelihood *l, double least, const point *at)
{
    return (recent_machine() ? losses_of_recent : losses_of_baseline)(l, least, at);
}

int cevns_fast_slopes(const cevns_fast_likelihood *l, double least, const point *at)
{
    return (recent_machine() ? slopes_of_recent : slopes_of_baseline)(l, least, at) == 0;
}

int cevns_fast_kinked(const cevns_fast_likelihood *l)
{
    int few = 0;
    for (size_t i = 0; i < l->experiments; i++) {
        const experiment *e = l->experiment + i;
        for (size_t b = 0; e->statistic == POISSON && isfinite(e->off_on_ratio) && b < e->bins; b++)
            few |= (e->data[b] < 1) | (e->weight[b] < 1);
    }
    return few;
}

/* 1/variance of all bins that are not Poisson; whether all variances are positive. */
int cevns_fast_weigh(const cevns_fast_likelihood *l, const point *at)
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
void cevns_fast_guess_weights(const cevns_fast_likelihood *l, const point *at)
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
void cevns_fast_guess_slopes(const cevns_fast_likelihood *l, const point *at)
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
