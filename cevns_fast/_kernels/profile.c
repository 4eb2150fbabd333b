/* chi2 minimised over couplings. For one free coupling the least point of its line is all. For more, planes of two of them
 * are searched, through zero couplings first, then through the best place, until none leads lower: in a plane all minima
 * on lines across it are known, and from where these are lowest Newton's method descends. A step costs the same whatever
 * the number of bins, and what a point gets depends on nothing but the point. */
#include "profile.h"

#include "profile_descent.h"
#include "profile_line.h"
#include "profile_plane.h"
#include "profile_point.h"

enum { STEPS = 60, ROUNDS = 10 };
static const double HOPE = 1e3;     /* times what Newton's step promises: less than a descent must still gain to matter */
static const double ENOUGH = 1e-12; /* of 1 + chi2, that the last step gains: the next would gain its square */
static const double GAIN = 1e-10;   /* of 1 + chi2, that planes through the best place must gain to be searched again */

/* Memory for a point. */
typedef struct {
    point_at at;
    line_work line;
    double *vectors; /* [monomials][1 + terms] */
    double reach[MOST]; /* beyond which no coupling is followed */
    double lowest, best[MOST];
} search;

/* How far couplings reach in units that change counts as much as all the rest: beyond, counts would be sums of numbers
 * that cancel in all but their last digits, or chi2 is that at infinity. */
static const double FARTHEST = 1e6;

static INLINE int is_beyond(size_t k, const search *s, const double *z)
{
    for (size_t c = 0; c < k; c++)
        if (!(fabs(z[c]) <= s->reach[c]))
            return 1;
    return 0;
}

/* The systems at the couplings z that are not free. */
static void reduce(size_t k, const struct plane *p, const double *z, search *s)
{
    const size_t m = monomials_of(k), rows = rows_of(k), outer = p->couplings - k, vectors = 1 + p->terms;
    for (size_t which = 0; which < p->systems; which++) {
        const double *triangle = p->triangle + which * vectors * vectors;
        system_at *to = s->at.system + which;
        to->data = fabs(triangle[0]);
        to->scaled = p->variance[which] > 0;
        memset(s->vectors, 0, m * vectors * sizeof(double));
        for (size_t t = 1; t < vectors; t++) {
            const int64_t *power = p->power + (t - 1) * p->couplings;
            size_t pair[2] = {k, k}, degree = 0;
            double factor = triangle[0] < 0 ? -1 : 1;
            for (size_t c = 0; c < p->couplings; c++)
                for (int64_t i = 0; i < power[c]; i++) {
                    if (c < outer)
                        factor *= z[c];
                    else if (degree < 2)
                        pair[degree++] = c - outer;
                }
            double *vector = s->vectors + place_of(k, pair[0], pair[1]) * vectors;
            vector[0] += factor * triangle[t];
            for (size_t r = 1; r <= t; r++)
                vector[r] += factor * triangle[r * vectors + t];
        }
        memset(to->across, 0, m * rows * sizeof(double));
        for (size_t i = 0; i < m; i++) { /* modified Gram-Schmidt, the highest powers first: they dominate far out */
            double *x = s->vectors + i * vectors;
            to->along[i] = x[0];
            const double norm = sqrt(sum_of(p->terms, x + 1, x + 1)), inverse = norm > 0 ? 1 / norm : 0;
            to->across[i * rows + i] = norm;
            for (size_t r = 1; r < vectors; r++)
                x[r] *= inverse;
            for (size_t j = i + 1; j < m; j++) {
                double *y = s->vectors + j * vectors;
                const double overlap = sum_of(p->terms, x + 1, y + 1);
                to->across[j * rows + i] = overlap;
                for (size_t r = 1; r < vectors; r++)
                    y[r] -= overlap * x[r];
            }
        }
    }
    for (size_t c = 0; c < k; c++) {
        double near = 0, far = 0;
        for (size_t i = 0; i < p->systems; i++) {
            const system_at *of = s->at.system + i;
            const double *zero = of->across + (m - 1) * rows, *square = of->across + place_of(k, c, c) * rows;
            const double a0 = of->along[m - 1], a2 = of->along[place_of(k, c, c)];
            near += a0 * a0 + product(k, zero, zero) + of->data * of->data;
            far += a2 * a2 + product(k, square, square);
        }
        s->reach[c] = far > 0 ? FARTHEST * sqrt(sqrt(near / far)) : INFINITY;
    }
}

/* The minimum downhill from z, where chi2 is `value`. */
static double descend(size_t k, search *s, double *z, double value)
{
    double trial[MOST], direction[MOST], promised = 0, t[2], values[2];
    for (int step = 0; step < STEPS; step++) {
        const enum descent kind = leads_down(k, &s->at, z, value, direction, &promised);
        double lower = INFINITY;
        if (kind == MINIMUM || (kind == DOWNHILL && HOPE * promised < value - s->lowest))
            break;
        if (kind == DOWNHILL) {
            for (size_t c = 0; c < k; c++)
                trial[c] = z[c] + direction[c];
            lower = chi2_at(k, &s->at, trial);
        }
        if (!(fabs(value - lower - promised) < 0.1 * promised)) { /* a step of Newton's is not all */
            line_minima(k, &s->at, z, direction, &s->line, t, values);
            lower = values[0];
            for (size_t c = 0; c < k; c++)
                trial[c] = z[c] + t[0] * direction[c];
        }
        if (!(lower < value) || is_beyond(k, s, trial))
            break;
        const double gain = value - lower;
        value = lower;
        memcpy(z, trial, k * sizeof(double));
        if (gain <= ENOUGH * (1 + value))
            break;
    }
    return value;
}

/* Keep a minimum if it is the lowest. */
static INLINE void keep(size_t k, search *s, const double *z, double value)
{
    if (value < s->lowest) {
        s->lowest = value;
        memcpy(s->best, z, k * sizeof(double));
    }
}

/* The minima of the plane z + s u + t v. */
static void search_plane(size_t k, search *s, const double *z, const double *u, const double *v)
{
    sliced_plane plane;
    slices t[2], value[2];
    double trial[MOST];
    if (s->at.systems == 1) {
        slice(k, s->at.system, z, u, v, &plane);
        minima_of_slices(s->at.system, &plane, t, value);
    } else {
        put_on_line(k, &s->at, z, u, &s->line);
        plane.unit = unit_of(&s->line);
        for (size_t i = 0; i < SLICES; i++) {
            double both[2], there[2];
            for (size_t c = 0; c < k; c++)
                trial[c] = z[c] + SLICE_AT[i] * plane.unit * u[c];
            line_minima(k, &s->at, trial, v, &s->line, there, both);
            for (size_t which = 0; which < 2; which++) {
                t[which][i] = there[which];
                value[which][i] = both[which];
            }
        }
    }
    size_t start[2 * SLICES], count = 0;
    for (size_t j = 0; j < 2 * SLICES; j++) {
        const size_t i = j % SLICES;
        const double *branch = value[j / SLICES], here = branch[i];
        if (!(here < INFINITY) || (i > 0 && branch[i - 1] < here) || (i + 1 < SLICES && branch[i + 1] < here))
            continue;
        size_t at = count++; /* the lowest first: it leaves the others less hope */
        for (; at > 0 && value[start[at - 1] / SLICES][start[at - 1] % SLICES] > here; at--)
            start[at] = start[at - 1];
        start[at] = j;
    }
    for (size_t j = 0; j < count; j++) {
        const size_t which = start[j] / SLICES, i = start[j] % SLICES;
        for (size_t c = 0; c < k; c++)
            trial[c] = z[c] + SLICE_AT[i] * plane.unit * u[c] + t[which][i] * v[c];
        if (is_beyond(k, s, trial))
            continue;
        const double found = descend(k, s, trial, chi2_at(k, &s->at, trial));
        keep(k, s, trial, found);
    }
}

static double least(size_t k, search *s, double *z)
{
    double from[MOST] = {0}, u[MOST] = {0}, v[MOST] = {0};
    s->lowest = INFINITY;
    memset(s->best, 0, sizeof s->best);
    if (k == 1) {
        double t[2], value[2];
        u[0] = 1;
        line_minima(k, &s->at, from, u, &s->line, t, value);
        keep(k, s, t, value[0]);
    }
    if (k > 1)
        keep(k, s, from, chi2_at(k, &s->at, from)); /* beyond 1e40 nothing else may be a number */
    for (int round = 0; k > 1 && round < ROUNDS; round++) {
        const double before = s->lowest;
        memcpy(from, s->best, k * sizeof(double));
        for (size_t i = 0; i < k; i++)
            for (size_t j = 0; j < k; j++)
                if (i != j) {
                    u[i] = v[j] = 1;
                    search_plane(k, s, from, u, v);
                    u[i] = v[j] = 0;
                }
        if (round && !(s->lowest < before - GAIN * (1 + before)))
            break;
    }
    memcpy(z, s->best, k * sizeof(double));
    return s->lowest;
}

static void minimise(size_t k, const struct plane *p, search *s, double *z, size_t n, double *out)
{
    for (size_t i = 0; i < n; i++) {
        double *point = z + i * p->couplings, *to = point + p->couplings - k;
        reduce(k, p, point, s);
        out[i] = least(k, s, to);
    }
}

int profile_minimise(const struct plane *p, size_t free_ones, double *z, size_t n, double *out)
{
    const size_t k = free_ones, m = monomials_of(k), rows = rows_of(k), vectors = 1 + p->terms;
    search s = {.at = {.systems = p->systems}};
    const size_t numbers = p->systems * m * (1 + rows) + m * vectors + (1 + BETWEEN) * (4 * p->systems + 3);
    double *room = malloc(numbers * sizeof(double));
    s.at.system = malloc(p->systems * sizeof(system_at));
    s.line.system = malloc(p->systems * sizeof(system_on_line));
    const int enough = room && s.at.system && s.line.system;
    if (enough) {
        double *next = room;
        for (size_t i = 0; i < p->systems; i++, next += m * (1 + rows)) {
            s.at.system[i].across = next;
            s.at.system[i].along = next + m * rows;
        }
        s.vectors = next, next += m * vectors;
        s.line.node = next, next += 4 * p->systems + 3;
        s.line.place = next;
        if (k == 1)
            minimise(1, p, &s, z, n, out);
        else if (k == 2)
            minimise(2, p, &s, z, n, out);
        else if (k == 3)
            minimise(3, p, &s, z, n, out);
        else
            minimise(k, p, &s, z, n, out);
    }
    free(room);
    free(s.at.system);
    free(s.line.system);
    return enough;
}

size_t profile_roots(const double *c, size_t degree, double *roots)
{
    return roots_of(c, degree, roots);
}
