/* The lowest minimum: from every local minimum on the lattice that can matter, Newton's method goes to the minimum of the
 * likelihood itself. */
#include "toys_plan.h"

enum { MOST_STARTS = 24, POLISH_STEPS = 200 };
static const double MATTERS = 20;   /* chi2 above the lowest of the lattice, of a start that is tried */
static const double ENOUGH = 1e-9;  /* of chi2, that a step of Newton's method still promises where it ends */

/* chi2 beside a saddle, along a direction of negative curvature that no axis need have; p->try gets the place. Where the
 * decomposition L D L^T of the free part of the Hessian meets a first D_i < 0, L^T x = e_i has the curvature D_i. */
static double beside(toy_plan *p, const double *theta, double value)
{
    const cevns_fast_likelihood *l = &p->likelihood;
    size_t n = l->parameters, m = 0;
    double better = cevns_fast_beside(l, theta, n, p->is_free, p->hessian, value, p->try), *L = p->matrix;
    if (better < value)
        return better;
    for (size_t i = 0; i < n; i++) {
        if (!p->is_free[i])
            continue;
        for (size_t j = 0, column = 0; j <= i; j++)
            if (p->is_free[j])
                L[m * n + column++] = p->hessian[i * n + j];
        double *row = L + m * n, curvature = row[m];
        for (size_t j = 0; j < m; j++) {
            for (size_t k = 0; k < j; k++)
                row[j] -= row[k] * L[j * n + k] * L[k * n + k];
            row[j] /= L[j * n + j];
            curvature -= row[j] * row[j] * L[j * n + j];
        }
        if (curvature < 0) {
            double *x = p->step, last = sqrt((1 + value) / -curvature);
            for (size_t j = m + 1; j-- > 0;) {
                x[j] = j == m;
                for (size_t k = j + 1; k <= m; k++)
                    x[j] -= L[k * n + j] * x[k];
            }
            for (double size = last; size > 1e-4 * last; size *= 0.25)
                for (int sign = 1; sign >= -1; sign -= 2) {
                    memcpy(p->try, theta, n * sizeof(double));
                    for (size_t j = 0, column = 0; j <= i; j++)
                        if (p->is_free[j])
                            p->try[j] = fmin(fmax(theta[j] + sign * size * x[column++], l->lower[j]), l->upper[j]);
                    better = cevns_fast_chi2(l, p->try, n, NULL);
                    if (better < value - 1e-12 * (1 + value))
                        return better;
                }
            return INFINITY;
        }
        row[m++] = curvature;
        if (curvature == 0)
            return INFINITY;
    }
    return INFINITY;
}

/* The minimum downhill from theta, which receives it. */
double toys_polish(toy_plan *p, double *theta, const int *fixed)
{
    cevns_fast_likelihood *l = &p->likelihood;
    size_t n = l->parameters;
    double damping = 1e-6, value = cevns_fast_evaluate(l, theta, n, 2, &p->at);
    for (int i = 0; i < POLISH_STEPS && isfinite(value); i++) {
        cevns_fast_differentiate(l, theta, &p->at, p->gradient);
        cevns_fast_differentiate_twice(l, theta, &p->at, p->hessian);
        int any = 0;
        for (size_t j = 0; j < n; j++) {
            p->is_free[j] = !(fixed && fixed[j]) && !(theta[j] <= l->lower[j] && p->gradient[j] > 0) &&
                            !(theta[j] >= l->upper[j] && p->gradient[j] < 0);
            any |= p->is_free[j];
        }
        double better = INFINITY, promised = 0;
        for (; any && damping < 1e12; damping = fmax(8 * damping, 1e-4)) {
            if (!cevns_fast_damped_step(n, p->is_free, p->gradient, p->hessian, damping, p->matrix, p->step))
                continue;
            promised = 0;
            for (size_t j = 0; j < n; j++) {
                promised -= 0.5 * p->gradient[j] * p->step[j];
                p->try[j] = fmin(fmax(theta[j] + p->step[j], l->lower[j]), l->upper[j]);
            }
            if (promised < 1e-15 * (1 + value))
                break;
            better = cevns_fast_evaluate(l, p->try, n, 2, &p->at);
            if (better < value || promised < ENOUGH)
                break;
        }
        if (!(better < value)) {
            better = any ? beside(p, theta, value) : INFINITY;
            if (!(better < value))
                break;
            better = cevns_fast_evaluate(l, p->try, n, 2, &p->at);
            promised = INFINITY;
            damping = 1e-6;
        }
        memcpy(theta, p->try, n * sizeof(double));
        value = better;
        if (promised < ENOUGH && damping < 1e-3)
            break;
        damping = fmax(damping / 30, 1e-9);
    }
    return value;
}

/* Whether a lattice point is below another; of equals, as bounds make them, the one before. */
static int is_lower(const toy_plan *p, size_t g, size_t other)
{
    return p->value[g] < p->value[other] || (p->value[g] == p->value[other] && g < other);
}

/* The lowest minimum of chi2 over what is not fixed; `theta` receives it, and is the start where the lattice has none. */
double toys_lowest(toy_plan *p, const lattice *grid, const int *fixed, double *theta)
{
    cevns_fast_likelihood *l = &p->likelihood;
    size_t n = l->parameters, per_slab = grid->directions * grid->radii + 1, starts[MOST_STARTS], count = 0;
    double values[MOST_STARTS], least = INFINITY;
    for (size_t g = 0; g < grid->points; g++) {
        p->value[g] = toys_screen(p, grid, g);
        least = fmin(least, p->value[g]);
    }
    for (size_t g = 0; g < grid->points; g++) {
        double mine = p->value[g];
        if (!(mine <= least + MATTERS))
            continue;
        size_t place = g % per_slab, slab = g / per_slab;
        int local = 1;
        if (g == grid->points - 1)
            local = grid->directions == 0; /* the truth is near to what is there anyway */
        else if (place == 0) {
            for (size_t d = 0; d < grid->directions; d++)
                local &= mine <= p->value[g + 1 + d * grid->radii];
        } else {
            size_t d = (place - 1) / grid->radii, r = (place - 1) % grid->radii, D = grid->directions;
            size_t first = slab * per_slab + 1;
            local = is_lower(p, g, r > 0 ? g - 1 : first - 1) && (r + 1 == grid->radii || is_lower(p, g, g + 1));
            for (size_t other = 0; local && other < D; other++) {
                if (!grid->beside[d * D + other])
                    continue;
                for (size_t q = r > 0 ? r - 1 : 0; q <= r + 1 && q < grid->radii; q++)
                    local &= is_lower(p, g, first + other * grid->radii + q);
            }
        }
        if (!local)
            continue;
        size_t i = count < MOST_STARTS ? count++ : MOST_STARTS;
        for (; i > 0 && values[i - 1] > mine; i--)
            if (i < MOST_STARTS) {
                values[i] = values[i - 1];
                starts[i] = starts[i - 1];
            }
        if (i < MOST_STARTS) {
            values[i] = mine;
            starts[i] = g;
        }
    }
    double value = INFINITY, found;
    int polished = 0;
    for (size_t i = 0; i < count; i++) {
        memcpy(p->best, grid->theta + starts[i] * n, n * sizeof(double));
        for (size_t j = 0; j < n; j++) /* nuisances that are parameters begin where the last minimum had them */
            if (fixed && fixed[j])
                p->best[j] = p->toys.theta[j];
        found = toys_polish(p, p->best, fixed);
        if (!polished || found < value) {
            value = found;
            memcpy(theta, p->best, n * sizeof(double));
            polished = 1;
        }
    }
    return polished ? value : toys_polish(p, theta, fixed);
}
