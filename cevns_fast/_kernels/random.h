/* Random numbers that are a function of a counter: any of them is computed without those before it. */
#ifndef CEVNS_FAST_RANDOM_H
#define CEVNS_FAST_RANDOM_H
#include <stddef.h>
#include <stdint.h>
/* declarations */

/* A stream of random numbers: what they are is decided by the key and the last three words of the counter. */
struct random_stream {
    uint32_t key[2], counter[4];
    uint32_t words[4];
    unsigned left; /* of the words */
    int has_normal;
    double normal; /* that was drawn with the one before */
};

/* Philox 4x32-10 (Salmon, Moraes, Dror and Shaw, SC11, 2011): four random words of a counter and a key. */
void random_philox(const uint32_t *counter, const uint32_t *key, uint32_t *out);

/* The stream of toy number `toy` at the place in parameter space that has the number `place`. */
void random_start(struct random_stream *stream, uint64_t key, uint64_t place, uint32_t toy);

/* A number in (0, 1), a standard normal, and a Poisson count. */
double random_uniform(struct random_stream *stream);
double random_normal(struct random_stream *stream);
double random_poisson(struct random_stream *stream, double mean);

/* n of them, as tests want them; a negative mean stands for standard normals. */
void random_fill(uint64_t key, uint64_t place, uint32_t toy, double mean, size_t n, double *out);

/* end of declarations */
#endif
