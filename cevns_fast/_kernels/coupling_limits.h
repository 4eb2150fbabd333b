/* Limits along one coupling: for Python only, beside the interface of cevns_fast.h. */
#ifndef CEVNS_FAST_LIMITS_H
#define CEVNS_FAST_LIMITS_H
#include "cevns_fast.h"
/* declarations */

/* Where chi2 - min chi2 <= threshold along the only parameter of a likelihood, for n sets of tables[n][outputs], which
 * take the place of the likelihood's own (one piece, degree 0). The grid[points] of each set is in units of unit[n] and
 * fine enough to see every extremum of a low-degree rational function; extrema are refined, and crossings found
 * to the last bit. lows, highs[n][most] receive the intervals, summary[n][3] how many there are, the best coupling
 * and the least chi2. Returns 0 if memory is short. */
int cevns_fast_limits(const cevns_fast_likelihood *likelihood, const double *tables, size_t n, const double *unit,
                      double threshold, const double *grid, size_t points, size_t most, double *lows, double *highs,
                      double *summary);

/* end of declarations */
#endif
