/* The least chi2 on a line in the space of free couplings. For profile.c alone.
 *
 * Along a line counts are n0 + n1 t + n2 t^2. One system has at most four extrema, all known: those of the scaled are
 * roots of q' a - 2 q a', for the square q of what is across the data and what is along them, a; both have the factor t^5,
 * but it cancels. With several systems minima of the sum are sought between the extrema of its parts, at a few points
 * each, and refined. */
#ifndef CEVNS_FAST_PROFILE_LINE_H
#define CEVNS_FAST_PROFILE_LINE_H
#include "profile_point.h"

enum { BETWEEN = 8, MOST_STEPS = 200 };
static const double PART_WAY[BETWEEN] = {0.003, 0.03, 0.15, 0.5, 0.85, 0.97, 0.997, 1};

/* A system on a line: what is along the data is a[0] + a[1] t + a[2] t^2, and the square of what is across a quartic. */
typedef struct {
    const system_at *of;
    double a[3], q[5];
} system_on_line;

/* A line, and memory for it. */
typedef struct {
    system_on_line *system;
    double near, middle, far; /* squares of the parts of all counts */
    double *node;             /* [4 systems + 3] */
    double *place;            /* [BETWEEN (4 systems + 3)] */
} line_work;

static INLINE double horner(const double *c, size_t degree, double x)
{
    double value = c[degree];
    for (size_t i = degree; i-- > 0;)
        value = value * x + c[i];
    return value;
}

/* A root between a and b, where the sign changes: Newton's iteration in a shrinking bracket, which bisects when it leaves
 * or dawdles. */
static double bracketed_root(const double *c, size_t degree, double a, double b, int rising)
{
    double x = 0.5 * (a + b);
    for (int step = 1; step < MOST_STEPS; step++) {
        double f = c[degree], slope = 0;
        for (size_t i = degree; i-- > 0;) {
            slope = slope * x + f;
            f = f * x + c[i];
        }
        if (f == 0)
            break;
        if ((f < 0) == rising)
            a = x;
        else
            b = x;
        const double moved = x - f / slope;
        if (!(a < moved && moved < b) || step % 8 == 0) {
            const double middle = 0.5 * (a + b);
            if (middle == x)
                break;
            x = middle;
            continue;
        }
        const double by = fabs(moved - x);
        x = moved;
        if (by <= 1e-9 * fabs(x)) /* and the next step is the square of that */
            break;
    }
    return x;
}

/* The roots of each derivative separate those of the one before, so that every bracket holds one at most. */
static size_t roots_of(const double *given, size_t degree, double *roots)
{
    double largest = 0, bound = 0, c[5], derivative[5];
    for (size_t i = 0; i <= degree; i++)
        largest = fmax(largest, fabs(given[i]));
    while (degree > 0 && fabs(given[degree]) <= 1e-17 * largest)
        degree--;
    if (degree == 0)
        return 0;
    for (size_t i = 0; i <= degree; i++)
        c[i] = given[i] / largest;
    for (size_t i = 0; i < degree; i++) { /* Fujiwara's */
        const double ratio = fabs(c[i] / c[degree]);
        const size_t root = degree - i;
        bound = fmax(bound, root == 1 ? ratio : root == 2 ? sqrt(ratio) : root == 3 ? cbrt(ratio) : sqrt(sqrt(ratio)));
    }
    bound = bound > 0 ? 2.001 * bound : 1;
    size_t found = 0, level = 1;
    if (degree >= 2) { /* both roots of a second degree, without cancellation */
        const double pairs = 0.5 * (double)(degree * (degree - 1)); /* (degree over 2) */
        const double A = pairs * c[degree], half = 0.5 * (double)(degree - 1) * c[degree - 1], C = c[degree - 2];
        const double square = half * half - A * C;
        if (square > 0) {
            const double q = -(half + copysign(sqrt(square), half)), one = q / A, other = C / q;
            roots[0] = fmin(one, other);
            roots[1] = fmax(one, other);
            found = 2;
        }
        level = 3;
    }
    for (; level <= degree; level++) { /* the derivative of that degree, over a factorial */
        const size_t order = degree - level, known = found;
        for (size_t i = 0; i <= level; i++)
            derivative[i] = order ? (double)(i + 1) * c[i + 1] : c[i];
        double a = -bound, fa = horner(derivative, level, a), above = roots[0];
        found = 0;
        for (size_t edge = 0; edge <= known; edge++) {
            const double b = edge < known ? above : bound, fb = horner(derivative, level, b);
            if (edge + 1 < known)
                above = roots[edge + 1]; /* before a root of this level takes its place */
            if ((fa < 0 && fb > 0) || (fa > 0 && fb < 0))
                roots[found++] = bracketed_root(derivative, level, a, b, fa < 0);
            a = b;
            fa = fb;
        }
    }
    return found;
}

/* Systems on the line z + t direction. */
static void put_on_line(size_t k, const point_at *p, const double *z, const double *direction, line_work *w)
{
    const size_t m = monomials_of(k);
    double monomial[3][MOST_MONOMIALS], n[3][MOST_ROWS], h[MOST + 1], d[MOST + 1];
    for (size_t i = 0; i < k; i++) {
        h[i] = z[i];
        d[i] = direction[i];
    }
    h[k] = 1;
    d[k] = 0;
    for (size_t i = 0; i <= k; i++)
        for (size_t j = i; j <= k; j++) {
            const size_t at = place_of(k, i, j);
            monomial[0][at] = h[i] * h[j];
            monomial[1][at] = i == j ? 2 * h[i] * d[i] : h[i] * d[j] + d[i] * h[j];
            monomial[2][at] = d[i] * d[j];
        }
    w->near = w->middle = w->far = 0;
    for (size_t i = 0; i < p->systems; i++) {
        system_on_line *s = w->system + i;
        const system_at *of = s->of = p->system + i;
        for (size_t order = 0; order < 3; order++) {
            s->a[order] = sum_of(m, of->along, monomial[order]);
            combine(k, of->across, monomial[order], n[order]);
        }
        const double square = product(k, n[1], n[1]);
        s->q[0] = product(k, n[0], n[0]);
        s->q[1] = 2 * product(k, n[0], n[1]);
        s->q[2] = square + 2 * product(k, n[0], n[2]);
        s->q[3] = 2 * product(k, n[1], n[2]);
        s->q[4] = product(k, n[2], n[2]);
        w->near += s->a[0] * s->a[0] + s->q[0] + (of->scaled ? 0 : of->data * of->data);
        w->middle += s->a[1] * s->a[1] + square;
        w->far += s->a[2] * s->a[2] + s->q[4];
    }
}

/* The t at which counts have changed by as much as they were; 0 if they do not change. */
static INLINE double unit_of(const line_work *w)
{
    if (!(w->near > 0))
        return w->far + w->middle > 0;
    return w->far > 0 ? sqrt(sqrt(w->near / w->far)) : w->middle > 0 ? sqrt(w->near / w->middle) : 0;
}

/* Where chi2 of one system is stationary; in units of t in which the parts of n are alike, or coefficients span too many
 * decades. */
static size_t extrema(const system_on_line *s, double unit, double *roots)
{
    const double unit2 = unit * unit, a0 = s->a[0], a1 = s->a[1] * unit, a2 = s->a[2] * unit2;
    const double q0 = s->q[0], q1 = s->q[1] * unit, q2 = s->q[2] * unit2, q3 = s->q[3] * unit2 * unit;
    const double q4 = s->q[4] * unit2 * unit2, b0 = a0 - s->of->data;
    double c[5];
    if (s->of->scaled) {
        c[0] = q1 * a0 - 2 * q0 * a1;
        c[1] = 2 * q2 * a0 - q1 * a1 - 4 * q0 * a2;
        c[2] = 3 * (q3 * a0 - q1 * a2);
        c[3] = 4 * q4 * a0 + q3 * a1 - 2 * q2 * a2;
        c[4] = 2 * q4 * a1 - q3 * a2;
    } else {
        c[0] = 2 * b0 * a1 + q1;
        c[1] = 2 * (a1 * a1 + 2 * b0 * a2 + q2);
        c[2] = 6 * a1 * a2 + 3 * q3;
        c[3] = 4 * (a2 * a2 + q4);
        c[4] = 0;
    }
    const size_t count = roots_of(c, 4, roots);
    for (size_t i = 0; i < count; i++)
        roots[i] *= unit;
    return count;
}

/* The derivative of chi2 of all systems. */
static double slope_on(const line_work *w, size_t systems, double t)
{
    double total = 0;
    for (size_t i = 0; i < systems; i++) {
        const system_on_line *s = w->system + i;
        const double a = (s->a[2] * t + s->a[1]) * t + s->a[0], da = 2 * s->a[2] * t + s->a[1];
        const double q = horner(s->q, 4, t), dq = ((4 * s->q[4] * t + 3 * s->q[3]) * t + 2 * s->q[2]) * t + s->q[1];
        const double sum = a * a + q, data = s->of->data;
        if (!s->of->scaled)
            total += 2 * (a - data) * da + dq;
        else if (sum > 0)
            total += data * data * (a / sum) * ((dq * a - 2 * q * da) / sum);
    }
    return total;
}

/* Where chi2 of several systems is stationary: without scales it is one polynomial; else minima are sought between the
 * extrema of each system, at a few points, denser beside these. */
static size_t extrema_of_sum(const line_work *w, size_t systems, double unit, double *out)
{
    system_at all = {0};
    system_on_line sum = {.of = &all};
    for (size_t i = 0; i < systems; i++) {
        const system_on_line *s = w->system + i;
        const double b0 = s->a[0] - s->of->data, a1 = s->a[1], a2 = s->a[2];
        all.scaled |= s->of->scaled;
        sum.q[0] += s->q[0] + b0 * b0;
        sum.q[1] += s->q[1] + 2 * b0 * a1;
        sum.q[2] += s->q[2] + a1 * a1 + 2 * b0 * a2;
        sum.q[3] += s->q[3] + 2 * a1 * a2;
        sum.q[4] += s->q[4] + a2 * a2;
    }
    if (!all.scaled)
        return extrema(&sum, unit, out);
    double *node = w->node, roots[4];
    size_t count = 3, found = 0;
    node[0] = -3 * unit;
    node[1] = 0;
    node[2] = 3 * unit;
    for (size_t i = 0; i < systems; i++) {
        const size_t more = extrema(w->system + i, unit, roots);
        for (size_t j = 0; j < more; j++) { /* insertion keeps them in order */
            size_t at = count++;
            for (; at > 0 && node[at - 1] > roots[j]; at--)
                node[at] = node[at - 1];
            node[at] = roots[j];
        }
    }
    double a = node[0], fa = slope_on(w, systems, a);
    for (size_t i = 0; i + 1 < count; i++)
        for (size_t j = 0; j < BETWEEN; j++) {
            double b = node[i] + (node[i + 1] - node[i]) * PART_WAY[j], fb = slope_on(w, systems, b);
            const double next = b, f_next = fb;
            if (fa < 0 && fb >= 0) { /* a minimum: secants in a bracket, whose idle end counts half each time */
                for (int step = 0; step < MOST_STEPS && fb > 0; step++) {
                    const double x = step % 8 == 7 ? 0.5 * (a + b) : (a * fb - b * fa) / (fb - fa);
                    const double f = slope_on(w, systems, x);
                    if (!(a < x && x < b) || b - a <= 1e-14 * (fabs(a) + fabs(b)))
                        break;
                    if (f < 0) {
                        a = x;
                        fa = f;
                        fb *= 0.5;
                    } else {
                        b = x;
                        fb = f;
                        fa *= 0.5;
                    }
                }
                out[found++] = -fa < fb ? a : b;
            }
            a = next;
            fa = f_next;
        }
    return found;
}

/* chi2 at a point of the line: from the couplings there, as sums over powers of t cancel where these begin far out. */
static INLINE double chi2_on(size_t k, const point_at *p, const double *z, const double *direction, double t)
{
    double at[MOST];
    for (size_t i = 0; i < k; i++)
        at[i] = z[i] + t * direction[i];
    return chi2_at(k, p, at);
}

/* The lowest minimum on z + t direction, and chi2 there; and the second lowest, infinite if there is none. */
static void line_minima(size_t k, const point_at *p, const double *z, const double *direction, line_work *w,
                               double t[2], double value[2])
{
    put_on_line(k, p, z, direction, w);
    const double unit = unit_of(w);
    double *place = w->place;
    size_t count = 0;
    if (unit > 0)
        count = p->systems == 1 ? extrema(w->system, unit, place) : extrema_of_sum(w, p->systems, unit, place);
    t[0] = t[1] = 0;
    value[0] = chi2_on(k, p, z, direction, 0);
    value[1] = INFINITY;
    for (size_t i = 0; i < count; i++) {
        const double here = chi2_on(k, p, z, direction, place[i]);
        const size_t at = here < value[0] ? 0 : 1;
        if (at == 0) {
            t[1] = t[0];
            value[1] = value[0];
        }
        if (here < value[0] || here < value[1]) {
            t[at] = place[i];
            value[at] = here;
        }
    }
}

#endif
