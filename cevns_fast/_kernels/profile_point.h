/* Systems where the other couplings are fixed: how counts depend on those that are free. For profile*.c alone. */
#ifndef CEVNS_FAST_PROFILE_POINT_H
#define CEVNS_FAST_PROFILE_POINT_H
#include "machine.h"
#include "profile.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    MOST = PROFILE_MOST,
    MOST_MONOMIALS = (MOST + 1) * (MOST + 2) / 2, /* h_i h_j, i <= j, of h = (z_0 ... z_k-1, 1) */
    MOST_ROWS = (MOST_MONOMIALS + 3) / 4 * 4
};

/* Whitened counts, what is along the data and what is across, rotated into a triangle: as many rows as monomials, in
 * groups of four. Columns lie one after the other. */
typedef struct {
    double data; /* length of the data's vector */
    int scaled;  /* whether a scale of all counts is minimised over */
    double *along; /* [monomials] */
    double *across; /* [monomials][rows] */
} system_at;

typedef struct {
    size_t systems;
    system_at *system;
} point_at;

static INLINE size_t monomials_of(size_t k) { return (k + 1) * (k + 2) / 2; }

static INLINE size_t rows_of(size_t k) { return (monomials_of(k) + 3) / 4 * 4; }

/* Where h_i h_j is among the monomials, i <= j <= k: the highest powers first, the constant last. */
static INLINE size_t place_of(size_t k, size_t i, size_t j)
{
    return j < k ? i * k - i * (i + 1) / 2 + j : i < k ? k * (k + 1) / 2 + i : monomials_of(k) - 1;
}

static INLINE void monomials_at(size_t k, const double *z, double *out)
{
    size_t m = 0;
    for (size_t i = 0; i < k; i++)
        for (size_t j = i; j < k; j++)
            out[m++] = z[i] * z[j];
    for (size_t i = 0; i < k; i++)
        out[m++] = z[i];
    out[m] = 1;
}

/* What the triangle makes of monomials: rows of column t end with row t. */
static INLINE void combine(size_t k, const double *across, const double *monomial, double *restrict out)
{
    const size_t rows = rows_of(k);
    for (size_t r = 0; r < rows; r++)
        out[r] = 0;
    for (size_t t = 0; t < monomials_of(k); t++)
        for (size_t r = 0; r < rows; r++)
            out[r] += monomial[t] * across[t * rows + r];
}

static INLINE double sum_of(size_t n, const double *x, const double *y)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i] * y[i];
    return sum;
}

/* Four sums side by side, of vectors as long as a column. */
static INLINE double product(size_t k, const double *x, const double *y)
{
    double sum[4] = {0, 0, 0, 0};
    for (size_t r = 0; r < rows_of(k); r += 4)
        for (size_t i = 0; i < 4; i++)
            sum[i] += x[r + i] * y[r + i];
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

/* chi2 of one system. Minimised over a scale s, |d - s n|^2 is |d|^2 sin^2 of the angle between them. */
static INLINE double chi2_of(const system_at *s, double along, double across)
{
    const double square = along * along;
    if (s->scaled)
        return square + across > 0 ? s->data * s->data * (across / (square + across)) : s->data * s->data;
    return (along - s->data) * (along - s->data) + across;
}

static INLINE double chi2_at(size_t k, const point_at *p, const double *z)
{
    double monomial[MOST_MONOMIALS], n[MOST_ROWS], total = 0;
    monomials_at(k, z, monomial);
    for (size_t i = 0; i < p->systems; i++) {
        const system_at *s = p->system + i;
        combine(k, s->across, monomial, n);
        total += chi2_of(s, sum_of(monomials_of(k), s->along, monomial), product(k, n, n));
    }
    return total;
}

#endif
