/* chi2 minimised over some couplings, at many values of the others. */
#ifndef CEVNS_FAST_PROFILE_H
#define CEVNS_FAST_PROFILE_H
#include "plane.h"
/* declarations */

enum { PROFILE_MOST = 16 }; /* couplings that are minimised over */

/* At each point z[i] minimise chi2 over the last `profiled` couplings, at least one; leave the best place there and the least
 * chi2 in out[i]. Counts are of degree two in these couplings together. What a point gets depends on nothing else.
 * Returns 0 if memory is short. */
int profile_minimise(const struct plane *plane, size_t profiled, double *z, size_t n, double *out);

/* Real roots of sum_k c[k] x^k, degree <= 4, at which its sign changes, in increasing order; their number. */
size_t profile_roots(const double *c, size_t degree, double *roots);

/* end of declarations */
#endif
