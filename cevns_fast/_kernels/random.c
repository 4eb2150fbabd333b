/* Counter-based random numbers: uniform, normal and Poisson. */
#include "random.h"

#include <math.h>

enum { ROUNDS = 10, SMALL_MEAN = 10, EXACT = 16 };

static uint32_t high(uint32_t a, uint32_t b)
{
    return (uint32_t)((uint64_t)a * b >> 32);
}

void random_philox(const uint32_t *counter, const uint32_t *key, uint32_t *out)
{
    uint32_t a = counter[0], b = counter[1], c = counter[2], d = counter[3], k = key[0], l = key[1];
    for (int i = 0; i < ROUNDS; i++) {
        uint32_t first = 0xD2511F53u * a, second = 0xCD9E8D57u * c;
        uint32_t left = high(0xCD9E8D57u, c) ^ b ^ k, right = high(0xD2511F53u, a) ^ d ^ l;
        a = left, b = second, c = right, d = first;
        k += 0x9E3779B9u, l += 0xBB67AE85u;
    }
    out[0] = a, out[1] = b, out[2] = c, out[3] = d;
}

void random_start(struct random_stream *stream, uint64_t key, uint64_t place, uint32_t toy)
{
    *stream = (struct random_stream){
        .key = {(uint32_t)key, (uint32_t)(key >> 32)},
        .counter = {0, toy, (uint32_t)place, (uint32_t)(place >> 32)},
    };
}

static uint32_t word(struct random_stream *s)
{
    if (s->left == 0) {
        random_philox(s->counter, s->key, s->words);
        s->counter[0]++;
        s->left = 4;
    }
    return s->words[--s->left];
}

double random_uniform(struct random_stream *s)
{
    uint64_t bits = (uint64_t)word(s) << 20;
    bits |= word(s) >> 12;
    return ((double)bits + 0.5) * 0x1p-52; /* neither end */
}

double random_normal(struct random_stream *s) /* Box and Muller 1958: two at a time */
{
    if (s->has_normal) {
        s->has_normal = 0;
        return s->normal;
    }
    double radius = sqrt(-2 * log(random_uniform(s))), angle = 6.283185307179586 * random_uniform(s);
    s->has_normal = 1;
    s->normal = radius * sin(angle);
    return radius * cos(angle);
}

static double log_factorial(double k)
{
    static const double small[EXACT] = {0, 0, 0.6931471805599453, 1.791759469228055, 3.1780538303479458,
        4.787491742782046, 6.579251212010101, 8.525161361065415, 10.60460290274525, 12.801827480081469,
        15.104412573075516, 17.502307845873887, 19.987214495661885, 22.552163853123425, 25.19122118273868,
        27.89927138384089};
    if (k < EXACT)
        return small[(int)k];
    double x = k + 1, y = 1 / (x * x); /* Stirling's series */
    return (x - 0.5) * log(x) - x + 0.9189385332046727 + (1 / 12.0 - y * (1 / 360.0 - y / 1260.0)) / x;
}

double random_poisson(struct random_stream *s, double mean)
{
    if (!(mean > 0))
        return 0;
    if (mean < SMALL_MEAN) { /* by inversion */
        double u = random_uniform(s), term = exp(-mean), k = 0;
        while (u > term && k < 200) {
            u -= term;
            term *= mean / ++k;
        }
        return k;
    }
    /* Transformed rejection, algorithm PTRS of Hormann, Insurance: Mathematics and Economics 12 (1993) 39. */
    double root = sqrt(mean), b = 0.931 + 2.53 * root, a = -0.059 + 0.02483 * b, log_mean = log(mean);
    double inverse_alpha = 1.1239 + 1.1328 / (b - 3.4), squeeze = 0.9277 - 3.6224 / (b - 2);
    for (;;) {
        double u = random_uniform(s) - 0.5, v = random_uniform(s), us = 0.5 - fabs(u);
        double k = floor((2 * a / us + b) * u + mean + 0.43);
        if (us >= 0.07 && v <= squeeze)
            return k;
        if (k < 0 || (us < 0.013 && v > us))
            continue;
        if (log(v * inverse_alpha / (a / (us * us) + b)) <= k * log_mean - mean - log_factorial(k))
            return k;
    }
}

void random_fill(uint64_t key, uint64_t place, uint32_t toy, double mean, size_t n, double *out)
{
    struct random_stream stream;
    random_start(&stream, key, place, toy);
    for (size_t i = 0; i < n; i++)
        out[i] = mean < 0 ? random_normal(&stream) : random_poisson(&stream, mean);
}
