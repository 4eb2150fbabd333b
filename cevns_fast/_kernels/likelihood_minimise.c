/* The nearest minimum of chi2: damped Newton steps with the exact Hessian. */
#include "likelihood_types.h"

enum { MINIMISER_STEPS = 200 };

/* The downhill step of (H + damping |diag H|) for the free parameters; 0 if that is not positive definite. */
int cevns_fast_damped_step(size_t n, const int *is_free, const double *gradient, const double *hessian, double damping,
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
    cevns_fast_solve(m, matrix, step);
    int definite = 1;
    for (size_t i = 0; i < m; i++)
        definite &= matrix[i * m + i] > 0 && isfinite(step[i]);
    for (size_t i = n; i-- > 0;)
        step[i] = is_free[i] ? step[--m] : 0;
    return definite;
}

/* chi2 beside a maximum or saddle in one of the free parameters, where there is no slope to follow; trial gets the
 * place. */
double cevns_fast_beside(const cevns_fast_likelihood *l, const double *theta, size_t n, const int *is_free,
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
            if (!cevns_fast_damped_step(n, is_free, gradient, hessian, damping, matrix, step))
                continue;
            for (size_t j = 0; j < n; j++)
                trial[j] = fmin(fmax(theta[j] + step[j], l->lower[j]), l->upper[j]);
            better = cevns_fast_chi2(l, trial, n, NULL);
            if (better < value)
                break;
        }
        if (!(better < value)) {
            better = cevns_fast_beside(l, theta, n, is_free, hessian, value, trial);
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
