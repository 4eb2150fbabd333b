/* A likelihood in C: its parameters, chi2 and gradient at a point, and the minimum downhill from there.
 *
 *     cevns-fast c-interface -o .
 *     cc -O3 fit.c likelihood*.c -lm -o fit
 *     ./fit fit.cevns 20 0.05 2e-4
 *
 * fit.cevns is what Likelihood.export wrote in Python; the numbers are the point, one for each parameter. */
#include <stdio.h>
#include <stdlib.h>

#include "cevns_fast.h"

int main(int argc, char **argv)
{
    cevns_fast_likelihood *fit = argc > 1 ? cevns_fast_open(argv[1]) : NULL;
    if (fit == NULL) {
        fprintf(stderr, "usage: fit FILE VALUE...; FILE must be from Likelihood.export\n");
        return 2;
    }
    size_t n = cevns_fast_dimension(fit);
    if ((size_t)argc != n + 2) {
        fprintf(stderr, "%s has %zu parameters\n", argv[1], n);
        cevns_fast_close(fit);
        return 2;
    }
    double *theta = malloc(2 * n * sizeof(double)), *gradient = theta + n;
    if (theta == NULL)
        return 1;
    for (size_t i = 0; i < n; i++) {
        double lower, upper;
        cevns_fast_bounds(fit, i, &lower, &upper);
        theta[i] = strtod(argv[i + 2], NULL);
        printf("parameter\t%s\t%.17g\t%.17g\t%.17g\n", cevns_fast_parameter(fit, i), theta[i], lower, upper);
    }
    printf("chi2\t%.17g\n", cevns_fast_chi2(fit, theta, n, gradient));
    for (size_t i = 0; i < n; i++)
        printf("gradient\t%.17g\n", gradient[i]);

    printf("minimum\t%.17g\n", cevns_fast_minimise(fit, theta, n, NULL));
    for (size_t i = 0; i < n; i++)
        printf("at\t%.17g\n", theta[i]);
    free(theta);
    cevns_fast_close(fit);
    return 0;
}
