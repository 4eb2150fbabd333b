/* The likelihood of a fit, in C99 without Python: see "Embedding in C, C++ and Fortran" in the documentation.
 *
 * A handle is an immutable set of numbers, and nothing else is kept between calls. Every function may be called from any
 * number of threads at once, with one handle or with several; but a handle is closed once, after its last use. */
#ifndef CEVNS_FAST_H
#define CEVNS_FAST_H
#include <stddef.h>
#ifdef __cplusplus
extern "C" {
#endif
/* declarations */

typedef struct cevns_fast_likelihood cevns_fast_likelihood;

/* A handle from a file that Likelihood.export wrote, or from the same numbers in memory, which are copied;
 * NULL if they are not such numbers or memory is short. To be closed. */
cevns_fast_likelihood *cevns_fast_open(const char *path);
cevns_fast_likelihood *cevns_fast_create(const double *block, size_t length);
void cevns_fast_close(cevns_fast_likelihood *likelihood);

/* Another handle, of some of the experiments of one and with other widths of its nuisances. chosen[experiments] tells
 * which experiments stay, NULL for all; widths[nuisances] > 0 multiply the standard deviations of the constraints, NULL
 * for those that were exported: a nuisance that nothing constrains stays so. Both are of what was opened or created,
 * also if the handle is itself a variant. Pulls stay in the standard deviations that were exported. NULL if no experiment is chosen, a width is refused or memory is short.
 * It keeps nothing of the first handle. To be closed. */
cevns_fast_likelihood *cevns_fast_variant(const cevns_fast_likelihood *likelihood, const int *chosen,
                                          const double *widths);

/* The number of experiments that were opened or created, chosen or not. */
size_t cevns_fast_experiments(const cevns_fast_likelihood *likelihood);

/* The number of parameters, the name of one (NULL beyond the last) and its bounds, which may be infinite. */
size_t cevns_fast_dimension(const cevns_fast_likelihood *likelihood);
const char *cevns_fast_parameter(const cevns_fast_likelihood *likelihood, size_t index);
void cevns_fast_bounds(const cevns_fast_likelihood *likelihood, size_t index, double *lower, double *upper);

/* chi2 = -2 ln L at theta[n], minimised over the nuisances that are no parameters. Infinity where a parameter is
 * out of bounds or not a number, where a variance is not positive, and if n is not the dimension.
 * gradient[n] and hessian[n * n] may be NULL; they are filled with NaN where chi2 is infinite. */
double cevns_fast_chi2(const cevns_fast_likelihood *likelihood, const double *theta, size_t n, double *gradient);
double cevns_fast_hessian(const cevns_fast_likelihood *likelihood, const double *theta, size_t n, double *gradient,
                          double *hessian);

/* chi2[points] at thetas[points][n]. */
void cevns_fast_chi2_batch(const cevns_fast_likelihood *likelihood, const double *thetas, size_t points, size_t n,
                           double *chi2);

/* The nearest minimum of chi2 downhill from theta[n], which receives it; fixed[n] tells which parameters stay, NULL
 * for none. Damped Newton steps with the exact Hessian, within the bounds. Returns chi2 there. */
double cevns_fast_minimise(const cevns_fast_likelihood *likelihood, double *theta, size_t n, const int *fixed);

/* The nuisances in standard deviations: how many there are, and their values at theta. Returns chi2. */
size_t cevns_fast_nuisances(const cevns_fast_likelihood *likelihood);
double cevns_fast_pulls(const cevns_fast_likelihood *likelihood, const double *theta, size_t n, double *pulls);

/* Bins of all experiments, the predicted signal counts at theta, the expectation that they and the nuisances make,
 * without a steady-state background that is profiled bin by bin, and chi2[points] of signal counts given by hand,
 * signal[points][bins], with every nuisance profiled. */
size_t cevns_fast_bins(const cevns_fast_likelihood *likelihood);
double cevns_fast_counts(const cevns_fast_likelihood *likelihood, const double *theta, size_t n, double *signal,
                         double *expectation);
void cevns_fast_chi2_of_counts(const cevns_fast_likelihood *likelihood, const double *signal, size_t points,
                               double *chi2, double *pulls);

/* end of declarations */
#ifdef __cplusplus
}
#endif
#endif
