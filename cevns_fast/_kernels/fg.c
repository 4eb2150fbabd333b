/* F_G as one smooth integral. With the x-integral of (A7) done in closed form,
 *
 *   F_G = -(1/m_q^4) Int_0^oo ds/s  s^2 k(s) / [(s + a)^2 (s + b)],   a = m_Z'^2/m_q^2,  b = m_chi^2/m_q^2,
 *
 * where k depends on nothing but s. In t = ln s the integrand is analytic for |Im t| < pi, so the trapezoid rule
 * with step h errs by c exp(-2 pi^2/h), where c is worst, 1e5, when all its poles -a, -b, -4 meet: 4e-17 for
 * h = 0.4 (3e-13 for 0.5). Nodes fixed at t = h j make k a table. */
#include "fg.h"

#include <math.h>

enum { ORIGIN = FG_NODES / 2 };         /* index of the node t = 0 */
static const double STEP = 0.4;         /* h */
static const double MAX_RATIO = 1e30;   /* |ln a|, |ln b| <= 138.2; with DEPTH that is FG_NODES/2 steps */
static const double DEPTH = 34.0;       /* tails are cut at exp(-34) = 2e-15 of the peak */

/* [1 - J1(s)]/s with J1(s) = 4 asinh(sqrt(s)/2)/sqrt(s (s + 4)), free of the cancellation at small s:
 * J1 = sum_n (-s)^n n!^2/(2n + 1)!. */
static double one_minus_j1_over_s(double s)
{
    if (s >= 1.0)
        return (1.0 - 4.0 * asinh(0.5 * sqrt(s)) / sqrt(s * (s + 4.0))) / s;
    double term = 1.0 / 6.0, sum = 0.0;
    for (int n = 1; fabs(term) > 1e-18; n++) {
        sum += term;
        term *= -s * (n + 1) / (2.0 * (2 * n + 3));
    }
    return sum;
}

/* The x-integral of (A7), summed over its three terms. */
static double kernel(enum fg_variant variant, double s)
{
    const double g = one_minus_j1_over_s(s);
    switch (variant) {
    case FG_CORRECTED: /* [6 (s + 3)(1 + J1) - (s + 4)]/(s + 4)^2 */
        return (6.0 * (s + 3.0) * (2.0 - s * g) - (s + 4.0)) / ((s + 4.0) * (s + 4.0));
    case FG_PUBLISHED:
        return (19.0 * s + 88.0 - g * (6.0 * s * s + 18.0 * s - 48.0)) / ((s + 4.0) * (s + 4.0));
    }
    return NAN;
}

void fg_tabulate(enum fg_variant variant, double *table)
{
    for (int j = 0; j < FG_NODES; j++) {
        const double s = exp(STEP * (j - ORIGIN));
        table[j] = s;
        table[FG_NODES + j] = STEP * s * s * kernel(variant, s);
    }
}

/* Logarithm of the integrand with every sum s + c replaced by the larger summand (k ~ 1/(s + 1)):
 * concave, made of straight lines, and within a small factor of the integrand. */
static double envelope(double t, double log_a, double log_b)
{
    return 2.0 * t - 2.0 * fmax(t, log_a) - fmax(t, log_b) - fmax(t, 0.0);
}

double fg_value(const double *table, double m_chi, double m_zprime, double m_q)
{
    const double ratio_a = m_zprime / m_q, ratio_b = m_chi / m_q;
    if (!(m_q > 0.0 && ratio_a >= 1.0 / MAX_RATIO && ratio_a <= MAX_RATIO && ratio_b >= 1.0 / MAX_RATIO
          && ratio_b <= MAX_RATIO))
        return NAN; /* the negated form catches NaN as well */

    const double a = ratio_a * ratio_a, b = ratio_b * ratio_b;
    const double log_a = 2.0 * log(ratio_a), log_b = 2.0 * log(ratio_b);

    /* Cut where the envelope's rising (slopes 2, 1, 1) and falling (-1, -1, -2) lines drop DEPTH below its peak. */
    const double peak = fmax(envelope(0.0, log_a, log_b),
                             fmax(envelope(log_a, log_a, log_b), envelope(log_b, log_a, log_b)));
    const double cut = peak - DEPTH, left = cut + 2.0 * log_a;
    const double t_low = fmax(0.5 * (left + log_b), fmax(left, left + log_b));
    const double t_high = fmin(-0.5 * cut, fmin(-cut, -cut - log_b));
    const int first = ORIGIN + (int)floor(t_low / STEP), last = ORIGIN + (int)ceil(t_high / STEP);

    const double *node = table, *weight = table + FG_NODES;
    double sum[2] = {0.0, 0.0}; /* two chains, so that additions overlap */
    for (int j = first; j <= last; j++) {
        const double over = node[j] + a;
        sum[j & 1] += weight[j] / (over * over * (node[j] + b));
    }
    const double q = m_q * m_q;
    return -(sum[0] + sum[1]) / q / q;
}

void fg_evaluate(const double *table, const double *m_chi, const double *m_zprime, const double *m_q,
                 double *out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = fg_value(table, m_chi[i], m_zprime[i], m_q[i]);
}
