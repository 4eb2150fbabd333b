/* Four threads share one handle: chi2 and gradient of every point are the bits that one thread finds. */
#define _POSIX_C_SOURCE 200112L
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cevns_fast.h"

enum { POINTS = 2000, MOST = 8, THREADS = 4 };

static cevns_fast_likelihood *fit;
static size_t n;
static double theta[POINTS][MOST], expected[POINTS][1 + MOST], found[THREADS][POINTS][1 + MOST];

static void evaluate(double (*out)[1 + MOST])
{
    for (size_t i = 0; i < POINTS; i++)
        out[i][0] = cevns_fast_chi2(fit, theta[i], n, out[i] + 1);
}

static void *work(void *out)
{
    evaluate(out);
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t thread[THREADS];
    fit = argc == 2 ? cevns_fast_open(argv[1]) : NULL;
    if (fit == NULL || (n = cevns_fast_dimension(fit)) > MOST)
        return 2;
    srand(1);
    for (size_t i = 0; i < POINTS; i++)
        for (size_t j = 0; j < n; j++) {
            double lower, upper, u = rand() / (double)RAND_MAX;
            cevns_fast_bounds(fit, j, &lower, &upper);
            theta[i][j] = lower + u * (upper - lower);
        }
    evaluate(expected);
    for (int t = 0; t < THREADS; t++)
        if (pthread_create(thread + t, NULL, work, found[t]) != 0)
            return 3;
    for (int t = 0; t < THREADS; t++) {
        pthread_join(thread[t], NULL);
        if (memcmp(found[t], expected, sizeof expected) != 0) {
            printf("thread %d differs\n", t);
            return 1;
        }
    }
    printf("%.17g\n", expected[0][0]);
    cevns_fast_close(fit);
    return 0;
}
