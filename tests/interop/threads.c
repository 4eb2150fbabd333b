/* Sixteen threads share one handle, or have one each: every function gives the bits that one thread finds.
 * usage: threads FILE [own] */
#define _POSIX_C_SOURCE 200112L
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cevns_fast.h"

enum { POINTS = 400, MOST = 8, THREADS = 16, RESULTS = 1 + MOST + MOST * MOST + 1 + 64 };

static const char *path;
static cevns_fast_likelihood *shared; /* NULL if each has its own */
static size_t n;
static double theta[POINTS][MOST], expected[POINTS][RESULTS];
static pthread_barrier_t all_there;

/* chi2, gradient, Hessian, the minimum nearby, nuisances, and all chi2 once more as a batch. */
static void evaluate(const cevns_fast_likelihood *fit, double (*out)[RESULTS])
{
    static const int everywhere[MOST] = {1, 1, 1, 1, 1, 1, 1, 1};
    double batch[POINTS], packed[POINTS * MOST];
    for (size_t i = 0; i < POINTS; i++) {
        double *r = out[i], at[MOST];
        memset(r, 0, sizeof *out);
        r[0] = cevns_fast_hessian(fit, theta[i], n, r + 1, r + 1 + MOST);
        memcpy(at, theta[i], sizeof at);
        r[1 + MOST + MOST * MOST] = cevns_fast_minimise(fit, at, n, i % 40 == 0 ? NULL : everywhere);
        if (cevns_fast_nuisances(fit) <= 63)
            cevns_fast_pulls(fit, theta[i], n, r + 2 + MOST + MOST * MOST);
        memcpy(packed + n * i, theta[i], n * sizeof *packed);
    }
    cevns_fast_chi2_batch(fit, packed, POINTS, n, batch);
    for (size_t i = 0; i < POINTS; i++)
        out[i][RESULTS - 1] = batch[i];
}

static void *work(void *nothing)
{
    (void)nothing;
    double (*found)[RESULTS] = malloc(sizeof expected);
    cevns_fast_likelihood *own = shared ? NULL : cevns_fast_open(path);
    pthread_barrier_wait(&all_there);
    if (found == NULL || (shared == NULL && own == NULL))
        return found;
    evaluate(shared ? shared : own, found);
    if (own)
        cevns_fast_close(own);
    return found;
}

int main(int argc, char **argv)
{
    pthread_t thread[THREADS];
    path = argc >= 2 ? argv[1] : "";
    cevns_fast_likelihood *fit = cevns_fast_open(path);
    if (fit == NULL || (n = cevns_fast_dimension(fit)) > MOST)
        return 2;
    shared = argc >= 3 ? NULL : fit;
    srand(1);
    for (size_t i = 0; i < POINTS; i++)
        for (size_t j = 0; j < n; j++) {
            double lower, upper, u = rand() / (double)RAND_MAX;
            cevns_fast_bounds(fit, j, &lower, &upper);
            lower = lower > -10.0 ? lower : -0.1; /* perhaps infinite */
            upper = upper < 100.0 ? upper : 0.1;
            theta[i][j] = lower + u * (upper - lower);
        }
    evaluate(fit, expected);
    pthread_barrier_init(&all_there, NULL, THREADS);
    for (int t = 0; t < THREADS; t++)
        if (pthread_create(thread + t, NULL, work, NULL) != 0)
            return 3;
    int differ = 0;
    for (int t = 0; t < THREADS; t++) {
        void *found;
        pthread_join(thread[t], &found);
        if (found == NULL || memcmp(found, expected, sizeof expected) != 0) {
            printf("thread %d differs\n", t);
            differ = 1;
        }
        free(found);
    }
    if (!differ)
        printf("%.17g\n", expected[0][0]);
    cevns_fast_close(fit);
    return differ;
}
