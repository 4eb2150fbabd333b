/* Toy experiments: for Python only, beside the interface of cevns_fast.h. */
#ifndef CEVNS_FAST_TOYS_H
#define CEVNS_FAST_TOYS_H
#include "cevns_fast.h"

#include <stdint.h>
/* declarations */

/* What toys are thrown from, and what is done with them. */
struct toys {
    const double *theta;  /* [parameters] */
    const int *fixed;     /* [parameters] that stay for the larger of both chi2; all 0 for the least chi2 alone */
    const double *mean;   /* [bins] of counts, on counts if Poisson */
    const double *spread; /* [bins] standard deviations, or means of off counts */
    const double *pull;   /* [nuisances] which auxiliary measurements are thrown around */
    const double *hidden; /* [experiments] rows that nothing predicts, of unit variance, beside the bins */
    uint64_t key, place;  /* of the random numbers */
    size_t directions, radii; /* how finely minima are looked for */
};

/* What is computed once for all toys of a truth; NULL if memory is short. To be closed. */
typedef struct toy_plan toy_plan;
toy_plan *cevns_fast_toys_plan(const cevns_fast_likelihood *likelihood, const struct toys *toys);
void cevns_fast_toys_close(toy_plan *plan);

/* Toys number first ... first + n - 1 into out[n]: chi2 at theta, minimised over what is not fixed, less its minimum;
 * or the minimum, if nothing is fixed. best[n][parameters] receives where it is, unless it is NULL. */
void cevns_fast_toys_run(toy_plan *plan, size_t first, size_t n, double *out, double *best);

/* The data of one toy: counts, off counts (or weights), auxiliary measurements and the sum of squares of hidden rows. */
void cevns_fast_toys_throw(toy_plan *plan, size_t number, double *data, double *weight, double *centre,
                           double *hidden);

/* end of declarations */
#endif
