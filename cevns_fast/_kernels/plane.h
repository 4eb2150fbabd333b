/* chi2 on rows of a grid of couplings. */
#ifndef CEVNS_FAST_PLANE_H
#define CEVNS_FAST_PLANE_H
#include <stddef.h>
#include <stdint.h>
/* declarations */

/* Systems whose whitened counts are polynomials in couplings: the triangle R of a QR decomposition whose columns are
 * the data and the terms, where (s - 1)/sigma of a scale s is one more row. Below the diagonal nothing is read. */
struct plane {
    size_t systems, terms, couplings;
    const double *triangle; /* [systems][1 + terms][1 + terms] */
    const double *variance; /* [systems]: sigma^2, or 0 where there is no scale to be profiled */
    const int64_t *power;   /* [terms][couplings]; at most 2 of the last coupling */
};

/* chi2 at points (outer[i], y[j]) into out[i][j]; outer[n][couplings - 1] and y[columns] hold the couplings.
 * Returns 0 if memory is short. */
int plane_fill(const struct plane *plane, const double *outer, size_t n, const double *y, size_t columns, double *out);

/* The same, to the bit, but past the caches: for a result that they cannot hold. */
int plane_stream(const struct plane *plane, const double *outer, size_t n, const double *y, size_t columns,
                 double *out);

/* end of declarations */
#endif
