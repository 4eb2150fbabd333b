/* Linear equations of a symmetric matrix. */
#include "likelihood_types.h"

/* Solve gram x = x for a positive definite gram[n][n], given and decomposed as L D L^T in its lower triangle; whether
 * it is that, for x is of little use if it is not. */
int cevns_fast_solve(size_t n, double *restrict gram, double *restrict x)
{
    int definite = 1;
    for (size_t i = 0; i < n; i++) {
        double *row = gram + i * n, before = row[i];
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
        definite &= row[i] > 1e-13 * fabs(before);
    }
    for (size_t i = n; i-- > 0;) {
        x[i] /= gram[i * n + i];
        for (size_t k = i + 1; k < n; k++)
            x[i] -= gram[k * n + i] * x[k];
    }
    return definite;
}
