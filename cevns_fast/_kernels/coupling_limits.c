/* Where chi2 allows one coupling to be. */
#include "coupling_limits.h"

#include "likelihood_types.h"

#include <float.h>

enum { MOST_STEPS = 100 };
static const double GOLDEN = 0.3819660112501051; /* of a golden section, the smaller part */
static const double HALF_OF_DIGITS = 1.5e-8;     /* beyond which a minimum is flat */
static const double PLATEAU = 1e-12; /* differences of chi2 that are rounding */

/* A likelihood along its only parameter, with tables of its own. */
typedef struct {
    cevns_fast_likelihood likelihood;
    experiment *experiments;
    double *rotated; /* [experiments][(monomials + 1)^2]: tables and data in the space that they span */
    double *vectors; /* [monomials + 1][bins] */
    double *ones;    /* [monomials + 1] */
    double *x, *y;   /* [2 grid points]: chi2 at couplings, in their order */
    point at;
} line;

/* Vectors[k][n] by their columns of R in a QR decomposition, out[k][row]: any combination keeps its length.
 * Modified Gram-Schmidt, the highest power first: it dominates far out; with the data last it is backward stable. */
static void rotate(size_t count, size_t n, double *vectors, double *out)
{
    for (size_t i = 0; i < count; i++) {
        double *mine = vectors + i * n, norm = sqrt(dot(n, mine, mine));
        for (size_t j = 0; j < i; j++)
            out[j * count + i] = 0;
        out[i * count + i] = norm;
        for (size_t b = 0; norm > 0 && b < n; b++)
            mine[b] /= norm;
        for (size_t j = i + 1; j < count; j++) {
            double overlap = norm > 0 ? dot(n, mine, vectors + j * n) : 0;
            out[j * count + i] = overlap;
            for (size_t b = 0; b < n; b++)
                vectors[j * n + b] -= overlap * mine[b];
        }
    }
}

/* One set of tables in the place of the likelihood's own; those of a fixed variance in as few rows as they span. */
static void set_tables(const cevns_fast_likelihood *from, const double *tables, line *to)
{
    cevns_fast_likelihood *l = &to->likelihood;
    size_t m = from->monomials, count = m + 1;
    *l = *from;
    l->experiment = to->experiments;
    l->bins = 0;
    for (size_t i = 0; i < from->experiments; i++) {
        experiment *e = to->experiments + i;
        *e = from->experiment[i];
        e->coefficients = tables;
        e->pieces = 1, e->degree = 0;
        tables += e->tables * m * e->bins;
        if (from->plain && count < e->bins) {
            double *rows = to->rotated + i * count * count;
            for (size_t k = 0; k < count; k++)
                for (size_t b = 0; b < e->bins; b++) {
                    double value = k < m ? e->coefficients[(m - 1 - k) * e->bins + b] : e->data[b];
                    to->vectors[k * e->bins + b] = value * sqrt(e->weight[b]);
                }
            rotate(count, e->bins, to->vectors, rows);
            for (size_t k = 0; k < m / 2; k++) /* monomials in their own order again */
                for (size_t r = 0; r < count; r++) {
                    double swapped = rows[k * count + r];
                    rows[k * count + r] = rows[(m - 1 - k) * count + r];
                    rows[(m - 1 - k) * count + r] = swapped;
                }
            e->coefficients = rows;
            e->data = rows + m * count;
            e->bins = count;
            e->weight = to->ones;
        }
        e->first_bin = l->bins;
        l->bins += e->bins;
    }
    to->at.x = NAN; /* the tables changed */
    to->at.warm = 0;
}

/* chi2; what is minimised over begins where it was before, which is not far away. */
static double along(line *one, double x)
{
    double value = cevns_fast_evaluate(&one->likelihood, &x, 1, 0, &one->at);
    one->at.warm = isfinite(value);
    return value;
}

/* The extremum between a and b, a minimum for sign 1 and a maximum for -1: where, and chi2 there. It is where parabolas
 * through three points lead, or golden sections where they do not (Brent 1973, ch. 5). */
static double extremum(line *one, double sign, double a, double b, double *value)
{
    double width = b - a, x = a + GOLDEN * width, w = x, v = x, fx = sign * along(one, x), fw = fx, fv = fx, moved = 0, last = 0;
    for (int i = 0; i < MOST_STEPS; i++) {
        double middle = 0.5 * (a + b), finest = HALF_OF_DIGITS * (fabs(x) + 0.1 * width);
        if (fabs(x - middle) <= 2 * finest - 0.5 * (b - a))
            break;
        double r = (x - w) * (fx - fv), q = (x - v) * (fx - fw), p = (x - v) * q - (x - w) * r, before = last;
        q = 2 * (q - r);
        p = q > 0 ? -p : p;
        q = fabs(q);
        last = moved;
        if (fabs(before) > finest && fabs(p) < fabs(0.5 * q * before) && p > q * (a - x) && p < q * (b - x)) {
            moved = p / q;
            if (x + moved - a < 2 * finest || b - x - moved < 2 * finest)
                moved = x < middle ? finest : -finest;
        } else {
            last = x < middle ? b - x : a - x;
            moved = GOLDEN * last;
        }
        double u = x + (fabs(moved) >= finest ? moved : moved > 0 ? finest : -finest), fu = sign * along(one, u);
        if (fu <= fx) {
            *(u < x ? &b : &a) = x;
            v = w, fv = fw, w = x, fw = fx, x = u, fx = fu;
        } else {
            *(u < x ? &a : &b) = u;
            if (fu <= fw || w == x)
                v = w, fv = fw, w = u, fw = fu;
            else if (fu <= fv || v == x || v == w)
                v = u, fv = fu;
        }
    }
    *value = sign * fx;
    return x;
}

/* chi2 at the points of the grid and at its extrema, in the order of the coupling; how many there are. */
static size_t sample(line *one, const double *grid, size_t points, double unit)
{
    double *gx = one->x + points, *gy = one->y + points; /* behind what is made of them */
    for (size_t i = 0; i < points; i++)
        gx[i] = grid[i] * unit;
    if (one->likelihood.plain)
        cevns_fast_chi2_batch(&one->likelihood, gx, points, 1, gy);
    for (size_t i = 0; i < points && !one->likelihood.plain; i++)
        gy[i] = along(one, gx[i]);
    size_t count = 0;
    double before = 0, here = gy[0], x_before = 0, x_here = gx[0];
    for (size_t i = 0; i < points; i++) {
        double after = i + 1 < points ? gy[i + 1] : 0, x_after = i + 1 < points ? gx[i + 1] : 0;
        one->x[count] = x_here, one->y[count++] = here;
        int inner = i > 0 && i + 1 < points, turns = inner && !((here - before) * (after - here) > 0);
        if (turns && fmax(fabs(here - before), fabs(after - here)) >= PLATEAU * (1 + fabs(here))) {
            double value, x = extremum(one, here < fmax(before, after) ? 1 : -1, x_before, x_after, &value);
            size_t place = x < x_here ? count - 1 : count;
            one->x[count] = one->x[count - 1], one->y[count] = one->y[count - 1];
            one->x[place] = x, one->y[place] = value;
            count++;
        }
        before = here, here = after, x_before = x_here, x_here = x_after;
    }
    return count;
}

/* The last number before chi2 crosses the level between a, where it is ya and inside or not as told, and b; and the
 * next. Between false position and bisection as Oliveira & Takahashi 2020 (ITP): rarely more than a dozen steps, and
 * never more than bisection and a few. */
static void cross(line *one, double level, int inside, double *a, double ya, double *b, double yb)
{
    double fa = ya - level, fb = yb - level, span = *b - *a, finest = 0.5 * DBL_EPSILON * fmax(fabs(*a), fabs(*b));
    double middle = 0.5 * (*a + *b), reach = 2 * span; /* how wide the bracket may still be */
    while (*a < middle && middle < *b) {
        double width = *b - *a, x = middle;
        reach = fmax(0.5 * reach, finest);
        if (fa != fb && width > 8 * finest) {
            double guess = (fb * *a - fa * *b) / (fb - fa), side = guess < middle ? 1 : -1;
            double shift = fmax(0.2 * width * width / span, 2 * finest), room = fmax(reach - 0.5 * width, 0.0);
            if (shift <= fabs(middle - guess))
                x = guess + side * shift;
            if (fabs(x - middle) > room)
                x = middle - side * room;
            if (!(*a < x && x < *b))
                x = middle;
        }
        double fx = along(one, x) - level;
        if ((fx <= 0) == inside)
            *a = x, fa = fx;
        else
            *b = x, fb = fx;
        middle = 0.5 * (*a + *b);
    }
}

/* The intervals of one set of tables. */
static void intervals(line *one, size_t count, double threshold, size_t most, double *lows, double *highs,
                      double *summary)
{
    size_t best = 0, found = 0;
    for (size_t i = 0; i < count; i++)
        if (one->y[i] < one->y[best] || (one->y[i] == one->y[best] && fabs(one->x[i]) < fabs(one->x[best])))
            best = i;
    double level = one->y[best] + threshold;
    int inside = one->y[0] <= level;
    if (inside)
        lows[found] = -INFINITY;
    for (size_t i = 1; i < count && found < most; i++) {
        if ((one->y[i] <= level) == inside)
            continue;
        double a = one->x[i - 1], b = one->x[i];
        cross(one, level, inside, &a, one->y[i - 1], &b, one->y[i]);
        if (inside)
            highs[found++] = a;
        else
            lows[found] = b;
        inside = !inside;
    }
    if (inside && found < most)
        highs[found++] = INFINITY;
    summary[0] = (double)found, summary[1] = one->x[best], summary[2] = one->y[best];
}

int cevns_fast_limits(const cevns_fast_likelihood *l, const double *tables, size_t n, const double *unit,
                      double threshold, const double *grid, size_t points, size_t most, double *lows, double *highs,
                      double *summary)
{
    size_t count = l->monomials + 1, outputs = l->outputs;
    double *room = malloc((l->workspace + count * (l->experiments * count + l->bins + 1) + 4 * points + 4) *
                          sizeof(double));
    line one = {.experiments = malloc(l->experiments * sizeof(experiment))};
    int made = room && one.experiments;
    if (made) {
        cevns_fast_place(l, room, &one.at);
        one.rotated = room + l->workspace;
        one.vectors = one.rotated + l->experiments * count * count;
        one.ones = one.vectors + count * l->bins;
        one.x = one.ones + count;
        one.y = one.x + 2 * points + 2;
        for (size_t k = 0; k < count; k++)
            one.ones[k] = 1;
    }
    for (size_t i = 0; made && i < n; i++) {
        set_tables(l, tables + i * outputs, &one);
        size_t samples = sample(&one, grid, points, unit[i]);
        intervals(&one, samples, threshold, most, lows + i * most, highs + i * most, summary + 3 * i);
    }
    free(room);
    free(one.experiments);
    return made;
}
