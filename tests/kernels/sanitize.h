/* What the drivers of the C kernels share: .ci/run builds them under the address and undefined-behaviour sanitizers.
 * Arrays live on the heap with their exact sizes, so that a read or write beside them is seen. */
#ifndef CEVNS_FAST_SANITIZE_H
#define CEVNS_FAST_SANITIZE_H
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static int failures = 0;

static void check(int ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "%s\n", what);
        failures++;
    }
}

/* A number for other machines to agree with: .ci/machines compares them. */
static void show(double value)
{
#if defined(PRINT_NUMBERS)
    printf("%.17g\n", value);
#else
    (void)value;
#endif
}

static void *memory(size_t n, size_t size)
{
    void *p = calloc(n, size);
    if (!p && n > 0)
        exit(2);
    return p;
}

/* Of NaN: what a kernel has not written is seen as well. */
static double *array(size_t n)
{
    double *p = memory(n, sizeof *p);
    for (size_t i = 0; i < n; i++)
        p[i] = NAN;
    return p;
}

#endif
