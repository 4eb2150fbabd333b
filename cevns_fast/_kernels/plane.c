/* Along a row of a grid a whitened prediction is n0 + n1 t + n2 t^2. Once a row, these vectors are split into what is
 * along the data and what is across, and the latter are rotated into a triangle: the cost of a point depends neither on
 * the number of bins nor on that of terms, and sums of squares keep every digit at couplings far beyond the bound. */
#include "plane.h"

#include "machine.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROWS = 16,   /* are prepared side by side: loops over bins and terms are too short to be fast */
    STRIP = 512, /* columns to which systems are added before these leave the nearest cache */
    LINE = 64,   /* bytes of a cache line: past the caches anything less is written far slower */
    GROUP = 16   /* columns that are written at once, whole lines */
};

/* A system along a row: components of n2, n1, n0 on the data (a) and across (b, c; e is the square of the last). */
typedef struct {
    double square, a2, a1, a0, b2, b1, b0, c1, c0, e;
    int profiled;
} line;

typedef double lanes[ROWS];

static INLINE void dot(size_t n, lanes *x, lanes *y, double *sum)
{
    for (int k = 0; k < ROWS; k++)
        sum[k] = 0;
    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < ROWS; k++)
            sum[k] += x[i][k] * y[i][k];
}

/* Take the component on x out of y. */
static INLINE void take(size_t n, lanes *x, lanes *y, double *component)
{
    dot(n, x, y, component);
    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < ROWS; k++)
            y[i][k] -= component[k] * x[i][k];
}

static INLINE void normalise(size_t n, lanes *x, double *norm)
{
    lanes inverse;
    dot(n, x, x, norm);
    for (int k = 0; k < ROWS; k++) {
        norm[k] = sqrt(norm[k]);
        inverse[k] = norm[k] > 0 ? 1 / norm[k] : 0;
    }
    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < ROWS; k++)
            x[i][k] *= inverse[k];
}

/* One system in ROWS rows at couplings z[couplings - 1], into every stride-th of lines; work[3 (1 + terms)]. */
static INLINE void prepare(const struct plane *p, size_t system, lanes *z, lanes *work, line *lines, size_t stride)
{
    const size_t vectors = 1 + p->terms, last = p->couplings - 1, n = p->terms;
    const double *triangle = p->triangle + system * vectors * vectors, size = triangle[0];
    const int profiled = p->variance[system] > 0;
    memset(work, 0, 3 * vectors * sizeof *work);
    for (size_t t = 1; t < vectors; t++) {
        const int64_t *power = p->power + (t - 1) * p->couplings;
        lanes *to = work + power[last] * vectors, factor;
        for (int k = 0; k < ROWS; k++)
            factor[k] = 1;
        for (size_t c = 0; c < last; c++)
            for (int64_t i = 0; i < power[c]; i++)
                for (int k = 0; k < ROWS; k++)
                    factor[k] *= z[c][k];
        for (size_t r = 0; r <= t; r++)
            for (int k = 0; k < ROWS; k++)
                to[r][k] += factor[k] * triangle[r * vectors + t];
    }
    /* Modified Gram-Schmidt, the highest power first: it dominates far out. */
    lanes *n0 = work, *n1 = n0 + vectors, *n2 = n1 + vectors, b2, b1, b0, c1, c0, e;
    normalise(n, n2 + 1, b2);
    take(n, n2 + 1, n1 + 1, b1);
    take(n, n2 + 1, n0 + 1, b0);
    normalise(n, n1 + 1, c1);
    take(n, n1 + 1, n0 + 1, c0);
    dot(n, n0 + 1, n0 + 1, e);
    for (int k = 0; k < ROWS; k++)
        lines[k * stride] = (line){size * size, n2[0][k], n1[0][k], n0[0][k] - (profiled ? 0 : size),
                                   b2[k], b1[k], b0[k], c1[k], c0[k], e[k], profiled};
}

/* chi2 of a system. Minimised over the scale s, |d - s n|^2 is |d|^2 sin^2 of the angle between them, which needs no
 * difference and no s. Every operation here is paid once a point. No two products are added, which leaves a compiler
 * that fuses them with sums no choice: bits do not depend on where in a loop a point is. */
static INLINE double at(line l, double t)
{
    const double a = (l.a2 * t + l.a1) * t + l.a0, b = (l.b2 * t + l.b1) * t + l.b0, c = l.c1 * t + l.c0;
    const double across = b * b + (c * c + l.e);
    return l.profiled ? l.square * (across / (a * a + across)) : a * a + across;
}

typedef void row(const line *lines, size_t systems, const double *y, size_t columns, double *out);

static INLINE void row_of_all(const line *lines, size_t systems, const double *y, size_t columns, double *out)
{
    for (size_t first = 0; first < columns; first += STRIP) {
        const size_t n = columns - first < STRIP ? columns - first : STRIP;
        const double *restrict t = y + first;
        double *restrict to = out + first;
        const line l = lines[0];
        for (size_t j = 0; j < n; j++)
            to[j] = at(l, t[j]);
        for (size_t i = 1; i < systems; i++) {
            const line more = lines[i];
            for (size_t j = 0; j < n; j++)
                to[j] += at(more, t[j]);
        }
    }
}

static INLINE int fill(const struct plane *p, const double *outer, size_t n, const double *y, size_t columns,
                       double *out, row *fill_row)
{
    const size_t inner = p->couplings - 1;
    line *lines = malloc(ROWS * p->systems * sizeof *lines);
    lanes *work = malloc((inner + 3 * (1 + p->terms)) * sizeof *work);
    const int enough = lines && work;
    for (size_t i = 0; enough && i < n; i += ROWS) {
        for (size_t k = 0; k < ROWS; k++)
            for (size_t c = 0; c < inner; c++)
                work[c][k] = outer[(i + k < n ? i + k : n - 1) * inner + c];
        for (size_t system = 0; system < p->systems; system++)
            prepare(p, system, work, work + inner, lines + system, p->systems);
        for (size_t k = 0; k < ROWS && i + k < n; k++)
            fill_row(lines + k * p->systems, p->systems, y, columns, out + (i + k) * columns);
    }
    free(work);
    free(lines);
    return enough;
}

static int fill_baseline(const struct plane *p, const double *outer, size_t n, const double *y, size_t columns,
                         double *out)
{
    return fill(p, outer, n, y, columns, out, row_of_all);
}

#if defined(HAS_RECENT) /* twice as fast */
#include <immintrin.h>

RECENT static int fill_recent(const struct plane *p, const double *outer, size_t n, const double *y, size_t columns,
                              double *out)
{
    return fill(p, outer, n, y, columns, out, row_of_all);
}

/* One system, past the caches: memory is not read before it is written. */
RECENT static inline void row_streamed(const line *lines, size_t systems, const double *y, size_t columns, double *out)
{
    (void)systems;
    const line l = lines[0];
    const double *restrict t = y;
    double *restrict to = out, *const end = out + columns;
    for (; to < end && (uintptr_t)to % LINE; to++, t++)
        *to = at(l, *t);
    for (; end - to >= GROUP; to += GROUP, t += GROUP) {
        double group[GROUP];
        for (int k = 0; k < GROUP; k++)
            group[k] = at(l, t[k]);
        for (int k = 0; k < GROUP; k += 4)
            _mm256_stream_pd(to + k, _mm256_loadu_pd(group + k));
    }
    for (; to < end; to++, t++)
        *to = at(l, *t);
}

RECENT static int stream_recent(const struct plane *p, const double *outer, size_t n, const double *y, size_t columns,
                                double *out)
{
    const int enough = fill(p, outer, n, y, columns, out, row_streamed);
    _mm_sfence();
    return enough;
}
#else
#define recent_machine() 0
#define fill_recent fill_baseline
#define stream_recent fill_baseline
#endif

int plane_fill(const struct plane *p, const double *outer, size_t n, const double *y, size_t columns, double *out)
{
    return (recent_machine() ? fill_recent : fill_baseline)(p, outer, n, y, columns, out);
}

int plane_stream(const struct plane *p, const double *outer, size_t n, const double *y, size_t columns, double *out)
{
    return (recent_machine() && p->systems == 1 ? stream_recent : plane_fill)(p, outer, n, y, columns, out);
}
