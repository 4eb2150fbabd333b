/* Drives likelihood*.c, coupling_limits.c and toys*.c under the address and undefined-behaviour sanitizers: .ci/run and
 * tests/kernels build it.
 *
 * Each argument is a file as Likelihood.export writes it, or, after "--", a damaged one. What can be opened is
 * evaluated in every way, inside and outside its bounds. Prints how many files could be opened; exit status 0 is a
 * pass. */
#include <string.h>

#include "coupling_limits.h"
#include "likelihood_types.h"
#include "sanitize.h"
#include "toys.h"

enum { POINTS = 67 }; /* no multiple of what the kernel takes at a time */

static int all_nan(const double *values, size_t n)
{
    int found = 1;
    for (size_t i = 0; i < n; i++)
        found &= isnan(values[i]) != 0;
    return found;
}

/* A point somewhere between the bounds, or beyond them. */
static void choose(const cevns_fast_likelihood *l, size_t seed, double *theta)
{
    for (size_t i = 0; i < cevns_fast_dimension(l); i++) {
        double lower, upper, fraction = (double)((seed * 7 + i * 13) % 41) / 38 - 0.03;
        cevns_fast_bounds(l, i, &lower, &upper);
        if (!(isfinite(lower) && isfinite(upper)))
            lower = -0.03, upper = 0.03;
        theta[i] = lower + fraction * (upper - lower);
    }
}

static void evaluate(const cevns_fast_likelihood *l, int damaged)
{
    const size_t n = cevns_fast_dimension(l), nuisances = cevns_fast_nuisances(l), bins = cevns_fast_bins(l);
    double *thetas = array(POINTS * n), *batch = array(POINTS), *gradient = array(n), *hessian = array(n * n);
    double *pulls = array(nuisances), *signal = array(bins), *expectation = array(bins), *theta = array(n);
    double *many = array(2 * bins), *chi2 = array(2), *all_pulls = array(2 * nuisances);
    int *fixed = calloc(n + 1, sizeof *fixed);
    if (!fixed)
        exit(2);

    for (size_t i = 0; i <= n; i++) {
        const char *name = cevns_fast_parameter(l, i);
        check((name != NULL) == (i < n) && (!name || strlen(name) < NAME_SIZE),
              "a name for each parameter, and no more");
    }
    for (size_t i = 0; i < POINTS; i++)
        choose(l, i, thetas + i * n);
    cevns_fast_chi2_batch(l, thetas, POINTS, n, batch);
    cevns_fast_chi2_batch(l, thetas, 0, n, batch + POINTS - 1);
    for (size_t i = 0; i < POINTS; i++) {
        memcpy(theta, thetas + i * n, n * sizeof *theta);
        const double value = cevns_fast_chi2(l, theta, n, NULL);
        show(value);
        check(!isnan(value), "chi2 is a number or infinite");
        check(!isnan(batch[i]), "a batch is of numbers or infinite");
        if (!damaged) /* else numbers may be such that nothing has any digits */
            check(value == batch[i] || fabs(value - batch[i]) <= 1e-12 * value, "a batch is what single values are");
        check(cevns_fast_chi2(l, theta, n, gradient) == value, "chi2 with and without a gradient");
        check(cevns_fast_hessian(l, theta, n, gradient, hessian) == value, "chi2 with and without a Hessian");
        for (size_t k = 0; k < n; k++)
            show(gradient[k]), show(hessian[k * n + k]);
        check(cevns_fast_pulls(l, theta, n, pulls) == value, "chi2 with and without pulls");
        check(cevns_fast_counts(l, theta, n, signal, expectation) == value, "chi2 with and without counts");
        if (isinf(value))
            check(all_nan(gradient, n) && all_nan(hessian, n * n) && all_nan(pulls, nuisances), "NaN out of bounds");
        if (i % 16 == 0) {
            fixed[0] = i % 32 == 0;
            const double held = n ? theta[0] : 0, least = cevns_fast_minimise(l, theta, n, i % 48 ? fixed : NULL);
            check(least <= value, "a minimum is not above where it was looked for");
            check(!n || !fixed[0] || i % 48 == 0 || theta[0] == held, "what is fixed stays");
        }
    }
    const double bad[] = {NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < 3 && n > 0; i++) {
        choose(l, 20, theta);
        theta[n - 1] = bad[i];
        check(isinf(cevns_fast_hessian(l, theta, n, gradient, hessian)) && all_nan(gradient, n), "no number, no value");
        check(isinf(cevns_fast_minimise(l, theta, n, NULL)), "no minimum from nowhere");
    }
    check(isinf(cevns_fast_chi2(l, thetas, n + 1, NULL)), "too long a vector");
    if (n > 0)
        check(isinf(cevns_fast_chi2(l, thetas, n - 1, NULL)), "too short a vector");

    for (size_t i = 0; i < 2 * bins; i++)
        many[i] = i < bins ? (double)(i % 7) : -1e300;
    cevns_fast_chi2_of_counts(l, many, 2, chi2, all_pulls);
    cevns_fast_chi2_of_counts(l, many, 1, chi2 + 1, NULL);
    check(chi2[0] == chi2[1], "chi2 of counts with and without pulls");

    free(thetas), free(batch), free(gradient), free(hessian), free(pulls), free(signal), free(expectation);
    free(theta), free(many), free(chi2), free(all_pulls), free(fixed);
}

/* Limits along the only parameter, of tables that are its own and those doubled. */
static void limit(const cevns_fast_likelihood *l, int damaged)
{
    enum { GRID = 41, MOST = 3 };
    for (size_t i = 0; i < l->experiments; i++)
        if (l->experiment[i].tables > 1)
            return;
    if (l->parameters != 1)
        return;
    double *tables = array(2 * l->outputs), *unit = array(2), *grid = array(GRID);
    double *lows = array(2 * MOST), *highs = array(2 * MOST), *summary = array(6), *next = tables;
    for (int k = 1; k <= 2; k++)
        for (size_t i = 0; i < l->experiments; i++)
            for (size_t j = 0; j < l->monomials * l->experiment[i].bins; j++)
                *next++ = k * l->experiment[i].coefficients[j];
    for (int i = 0; i < GRID; i++)
        grid[i] = sinh(0.3 * (i - GRID / 2));
    unit[0] = 1, unit[1] = 0.1;
    check(cevns_fast_limits(l, tables, 2, unit, 2.7, grid, GRID, MOST, lows, highs, summary), "there is memory");
    for (int k = 0; k < 2; k++) {
        const int found = (int)summary[3 * k];
        check(found >= 0 && found <= MOST, "no more intervals than there is room for");
        for (int i = 0; !damaged && i < found; i++)
            check(lows[k * MOST + i] <= highs[k * MOST + i], "an interval begins before it ends");
    }
    check(cevns_fast_limits(l, tables, 0, unit, 2.7, grid, GRID, MOST, lows, highs, summary), "of nothing, nothing");
    free(tables), free(unit), free(grid), free(lows), free(highs), free(summary);
}

/* Each experiment alone and with other widths, which is a likelihood like any other; and what is refused. */
static void vary(const cevns_fast_likelihood *l)
{
    const size_t n = cevns_fast_experiments(l), nuisances = cevns_fast_nuisances(l);
    int *chosen = calloc(n + 1, sizeof *chosen);
    double *widths = array(nuisances + 1);
    if (!chosen)
        exit(2);
    check(n == 0 || !cevns_fast_variant(l, chosen, NULL), "of no experiments there is no likelihood");
    for (size_t i = 0; i < n; i++)
        chosen[i] = 1;
    for (size_t k = 0; k < nuisances; k++)
        widths[k] = 0.5 + (double)k;
    for (size_t i = 0; i < 2 * n; i++) {
        for (size_t j = 0; j < n; j++) /* all but one, that one alone */
            chosen[j] = (j == i / 2) == (i % 2 != 0);
        cevns_fast_likelihood *other = cevns_fast_variant(l, chosen, i % 3 ? widths : NULL);
        check((other == NULL) == (n == 1 && i == 0), "a variant can be made where an experiment is left");
        if (!other)
            continue;
        evaluate(other, 1);
        cevns_fast_likelihood *back = cevns_fast_variant(other, NULL, NULL);
        check(back && cevns_fast_bins(back) == cevns_fast_bins(l), "a variant knows what it was made of");
        cevns_fast_close(back);
        cevns_fast_close(other);
    }
    const double bad[] = {0, -0.0, NAN, INFINITY, 1e-200};
    for (size_t i = 0; i < 5 && nuisances > 0; i++) {
        widths[nuisances - 1] = bad[i];
        const cevns_fast_likelihood *other = cevns_fast_variant(l, NULL, widths);
        check(other == NULL, "a width is a positive number");
    }
    free(chosen), free(widths);
}

/* Toys from somewhere inside the bounds, with none, some and all parameters fixed. */
static void throw_toys(const cevns_fast_likelihood *l)
{
    enum { TOYS = 3 };
    const size_t n = l->parameters;
    double *theta = array(n), *mean = array(l->bins), *spread = array(l->bins), *pull = array(l->nuisances);
    double *hidden = array(l->experiments), *signal = array(l->bins), *out = array(TOYS), *best = array(TOYS * n);
    int *fixed = calloc(n + 1, sizeof *fixed);
    if (!fixed)
        exit(2);
    choose(l, 20, theta);
    for (size_t i = 0; i < n; i++)
        theta[i] = fmin(fmax(theta[i], l->lower[i]), l->upper[i]);
    cevns_fast_counts(l, theta, n, signal, mean);
    for (size_t j = 0; j < l->bins; j++)
        mean[j] = fabs(mean[j]) + 1, spread[j] = 3;
    hidden[0] = 2;
    for (size_t stays = 0; stays <= n; stays++) {
        for (size_t i = 0; i < stays; i++)
            fixed[i] = 1;
        struct toys toys = {theta, fixed, mean, spread, pull, hidden, 1, 2, 8, 4};
        toy_plan *plan = cevns_fast_toys_plan(l, &toys);
        check(plan != NULL, "there is memory for toys");
        cevns_fast_toys_run(plan, 0, TOYS, out, best);
        for (int i = 0; i < TOYS; i++)
            check(out[i] >= 0, "a toy has a chi2");
        cevns_fast_toys_run(plan, 7, 1, out, NULL);
        cevns_fast_toys_close(plan);
    }
    free(theta), free(mean), free(spread), free(pull), free(hidden), free(signal), free(out), free(best), free(fixed);
}

int main(int arguments, char **argument)
{
    int opened = 0, damaged = 0;
    check(cevns_fast_open("/nowhere/at/all") == NULL, "no file, no likelihood");
    check(cevns_fast_create(NULL, 0) == NULL, "no numbers, no likelihood");
    cevns_fast_close(NULL);
    for (int i = 1; i < arguments; i++) {
        if (!strcmp(argument[i], "--")) {
            damaged = 1;
            continue;
        }
        cevns_fast_likelihood *likelihood = cevns_fast_open(argument[i]);
        check(damaged || likelihood, "what was exported can be opened");
        if (!likelihood)
            continue;
        opened++;
        evaluate(likelihood, damaged);
        limit(likelihood, damaged);
        vary(likelihood);
        if (!damaged)
            throw_toys(likelihood);
        cevns_fast_close(likelihood);
    }
    printf("%d opened, %d failures\n", opened, failures);
    return failures != 0;
}
