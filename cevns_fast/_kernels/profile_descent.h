/* Directions of descent: Newton's, damped as far as needed, or down from a saddle. For profile.c alone. */
#ifndef CEVNS_FAST_PROFILE_DESCENT_H
#define CEVNS_FAST_PROFILE_DESCENT_H
#include "profile_point.h"

enum descent { MINIMUM, DOWNHILL, FROM_SADDLE };

/* Second derivatives and gradient of chi2, and units of the couplings in which the former are 1. */
typedef struct {
    double hessian[MOST][MOST], gradient[MOST], unit[MOST];
} slopes;

static void differentiate(size_t k, const point_at *p, const double *z, slopes *out)
{
    const size_t rows = rows_of(k);
    double monomial[MOST_MONOMIALS], n[MOST_ROWS], n_i[MOST][MOST_ROWS], a_i[MOST], h[MOST + 1], pull[MOST_MONOMIALS];
    double scale[MOST] = {0};
    monomials_at(k, z, monomial);
    for (size_t i = 0; i < k; i++)
        h[i] = z[i];
    h[k] = 1;
    memset(out->gradient, 0, sizeof out->gradient);
    for (size_t i = 0; i < k; i++)
        for (size_t j = 0; j < k; j++)
            out->hessian[i][j] = 0;
    for (size_t which = 0; which < p->systems; which++) {
        const system_at *s = p->system + which;
        combine(k, s->across, monomial, n);
        const double a = sum_of(monomials_of(k), s->along, monomial), q = product(k, n, n);
        for (size_t i = 0; i < k; i++) { /* d(h_i h_j)/dh_i = h_j, and 2 h_i where j = i */
            a_i[i] = 0;
            for (size_t r = 0; r < rows; r++)
                n_i[i][r] = 0;
            for (size_t j = 0; j <= k; j++) {
                const size_t at = i < j ? place_of(k, i, j) : place_of(k, j, i);
                const double factor = i == j ? 2 * h[j] : h[j];
                a_i[i] += factor * s->along[at];
                for (size_t r = 0; r < rows; r++)
                    n_i[i][r] += factor * s->across[at * rows + r];
            }
        }
        for (size_t t = 0; t < k * (k + 1) / 2; t++)
            pull[t] = product(k, n, s->across + t * rows);
        /* chi2 = data^2 q / (a^2 + q), or (a - data)^2 + q */
        const double sum = a * a + q, factor = s->scaled && sum > 0 ? s->data * s->data / (sum * sum) : 0;
        for (size_t i = 0; i < k; i++) {
            const double q_i = 2 * product(k, n, n_i[i]), g_i = q_i * a * a - 2 * q * a * a_i[i];
            out->gradient[i] += s->scaled ? factor * g_i : 2 * (a - s->data) * a_i[i] + q_i;
            for (size_t j = 0; j <= i; j++) {
                const size_t at = place_of(k, j, i);
                const double twice = i == j ? 2 : 1, a_ij = twice * s->along[at];
                const double q_j = 2 * product(k, n, n_i[j]);
                const double q_ij = 2 * (product(k, n_i[i], n_i[j]) + twice * pull[at]);
                if (!s->scaled) {
                    out->hessian[i][j] += 2 * (a_i[i] * a_i[j] + (a - s->data) * a_ij) + q_ij;
                    if (i == j)
                        scale[i] += 2 * (a_i[i] * a_i[i] + fabs((a - s->data) * a_ij)) + fabs(q_ij);
                    continue;
                }
                const double g_ij = q_ij * a * a + 2 * a * (q_i * a_i[j] - q_j * a_i[i]) -
                                    2 * q * (a_i[i] * a_i[j] + a * a_ij);
                out->hessian[i][j] += factor * (g_ij - 2 * g_i * (2 * a * a_i[j] + q_j) / sum);
                if (i == j)
                    scale[i] += factor * (fabs(q_ij) * a * a + 2 * q * (a_i[i] * a_i[i] + fabs(a * a_ij)));
            }
        }
    }
    for (size_t i = 0; i < k; i++)
        out->unit[i] = scale[i] > 0 ? 1 / sqrt(scale[i]) : 0;
}

/* Solve (H + damping) x = -g in units of the couplings by L D L^T, or find that it is not positive definite; then, if the
 * gradient is flat, x has negative curvature. Whether it is not. */
static int damped_step(size_t k, const slopes *s, double damping, int flat, double *x)
{
    double L[MOST][MOST], D[MOST];
    size_t size = k;
    int saddle = 0;
    for (size_t i = 0; i < k; i++) {
        for (size_t j = 0; j <= i; j++) {
            double value = s->hessian[i][j] * s->unit[i] * s->unit[j];
            if (i == j)
                value += s->unit[i] > 0 ? damping : 1;
            for (size_t m = 0; m < j; m++)
                value -= L[i][m] * D[m] * L[j][m];
            if (i == j)
                D[i] = value;
            else
                L[i][j] = value / D[j];
        }
        if (!(D[i] > 1e-12 || damping > 1e6)) {
            size = i + 1;
            saddle = D[i] < -1e-9 || !flat;
            break;
        }
    }
    for (size_t i = 0; i < size; i++) { /* L x = -g; at a saddle L^T x = the last unit vector, whose curvature is D */
        double value = -s->gradient[i] * s->unit[i];
        for (size_t m = 0; m < i; m++)
            value -= L[i][m] * x[m];
        x[i] = value;
    }
    for (size_t i = size; i-- > 0;) {
        double value = size < k || saddle ? (i == size - 1 ? 1 : 0) : x[i] / D[i];
        for (size_t m = i + 1; m < size; m++)
            value -= L[m][i] * x[m];
        x[i] = value;
    }
    for (size_t i = 0; i < k; i++)
        x[i] = i < size ? x[i] * s->unit[i] : 0;
    return saddle;
}

/* A direction of descent from z, and the decrease of chi2 that a step of Newton's promises. */
static enum descent leads_down(size_t k, const point_at *p, const double *z, double chi2, double *direction,
                                      double *promised)
{
    slopes s;
    differentiate(k, p, z, &s);
    double steepest = 0;
    for (size_t i = 0; i < k; i++)
        steepest = fmax(steepest, fabs(s.gradient[i] * s.unit[i]));
    const int flat = steepest * steepest <= 1e-15 * (1 + chi2);
    for (double damping = 0;; damping = fmax(4 * damping, 1e-3)) {
        const int saddle = damped_step(k, &s, damping, flat, direction);
        if (flat)
            return saddle ? FROM_SADDLE : MINIMUM;
        if (!saddle) {
            *promised = 0;
            for (size_t i = 0; i < k; i++)
                *promised -= 0.5 * s.gradient[i] * direction[i];
            return DOWNHILL;
        }
    }
}

#endif
