/* Drives profile.c under the address and undefined-behaviour sanitizers: .ci/run builds it, exit status 0 is a pass. */
#include <string.h>

#include "profile.h"
#include "sanitize.h"

enum { MOST_COUPLINGS = 5 };

static unsigned state = 1;

static double uniform(void) /* between -1 and 1, the same on every machine */
{
    state = state * 1664525u + 1013904223u;
    return (double)(state >> 8) / 8388608.0 - 1.0;
}

/* Of data and all terms of degree two and zero; below the diagonal nothing may be read. */
static void triangle_of(size_t systems, size_t vectors, double *triangle)
{
    for (size_t s = 0; s < systems; s++, triangle += vectors * vectors)
        for (size_t r = 0; r < vectors; r++)
            for (size_t c = 0; c < vectors; c++)
                triangle[r * vectors + c] = c < r ? NAN : r == c ? 2.0 + uniform() : uniform();
}

/* Straight from the definition, out of the triangle. */
static double expected(const struct plane *p, const double *z)
{
    const size_t vectors = 1 + p->terms;
    double chi2 = 0;
    for (size_t s = 0; s < p->systems; s++) {
        const double *triangle = p->triangle + s * vectors * vectors;
        double nn = 0, residual = 0, n[64] = {0};
        for (size_t t = 0; t < p->terms; t++) {
            double monomial = 1;
            for (size_t c = 0; c < p->couplings; c++)
                for (int64_t i = 0; i < p->power[t * p->couplings + c]; i++)
                    monomial *= z[c];
            for (size_t r = 0; r <= t + 1; r++)
                n[r] += triangle[r * vectors + t + 1] * monomial;
        }
        for (size_t r = 0; r < vectors; r++)
            nn += n[r] * n[r];
        const double scale = p->variance[s] > 0 ? triangle[0] * n[0] / nn : 1;
        for (size_t r = 0; r < vectors; r++) {
            const double d = (r ? 0 : triangle[0]) - scale * n[r];
            residual += d * d;
        }
        chi2 += residual;
    }
    return chi2;
}

static void run(size_t systems, size_t outer, size_t profiled, int scaled, int even)
{
    const size_t couplings = outer + profiled, points = 3;
    int64_t power[64 * MOST_COUPLINGS] = {0};
    size_t terms = 0;
    for (size_t i = 0; i < couplings; i++)
        for (size_t j = i; j < couplings; j++)
            if (!even || i == j) {
                power[terms * couplings + i]++;
                power[terms++ * couplings + j]++;
            }
    terms++; /* the constant */
    const size_t vectors = 1 + terms;
    double *triangle = array(systems * vectors * vectors), *variance = array(systems), *z = array(points * couplings);
    double *out = array(points), *beside = array(couplings), *alone = array(couplings), one = NAN;
    int64_t *copied = memory(terms * couplings, sizeof *copied);
    memcpy(copied, power, terms * couplings * sizeof *copied);
    const struct plane p = {systems, terms, couplings, triangle, variance, copied};

    triangle_of(systems, vectors, triangle);
    for (size_t s = 0; s < systems; s++)
        variance[s] = scaled && s != 1 ? 0.1 : 0.0; /* of several, the second has no scale */
    for (size_t i = 0; i < points * couplings; i++)
        z[i] = i % couplings < outer ? 2.0 * uniform() : 0.0;
    memcpy(alone, z + couplings, couplings * sizeof *alone);

    check(profile_minimise(&p, profiled, z, points, out), "there is memory");
    for (size_t i = 0; i < points; i++) {
        const double e = expected(&p, z + i * couplings);
        show(out[i]);
        check(fabs(out[i] - e) <= 1e-11 * (1.0 + e), "chi2 as by the definition");
        for (int trial = 0; trial < 200; trial++) {
            memcpy(beside, z + i * couplings, couplings * sizeof *beside);
            for (size_t c = outer; c < couplings; c++)
                beside[c] = (trial % 2 ? beside[c] : 0) + (trial % 3 ? 0.1 : 3.0) * uniform();
            check(out[i] <= expected(&p, beside) + 1e-11 * (1.0 + e), "nothing beside it is lower");
        }
    }
    check(profile_minimise(&p, profiled, alone, 1, &one) && one == out[1], "a point depends on itself alone");
    free(triangle), free(variance), free(z), free(out), free(beside), free(alone), free(copied);
}

int main(void)
{
    for (size_t systems = 1; systems <= 3; systems++)
        for (size_t outer = 0; outer <= 1; outer++)
            for (size_t profiled = 1; profiled <= 4; profiled++)
                for (int scaled = 0; scaled <= 1; scaled++)
                    for (int even = 0; even <= 1; even++)
                        run(systems, outer, profiled, scaled, even);

    double roots[4];
    const double squares[] = {4, 0, -5, 0, 1}, none[] = {0, 0, 0, 0, 0};
    check(profile_roots(squares, 4, roots) == 4 && fabs(roots[3] - 2) < 1e-14, "roots of (x^2 - 1)(x^2 - 4)");
    check(profile_roots(none, 4, roots) == 0, "roots of nothing");

    printf("profile_sanitize: %d failures\n", failures);
    return failures != 0;
}
