/* Toys of a likelihood: thrown, and minimised without anything else in between.
 *
 * chi2 has a minimum on either side of zero of each coupling, and more where interference is large. All are in sight of a
 * lattice: rays from zero couplings, with points from where counts begin to change to where they have changed by
 * several standard deviations more than at the truth. On the lattice chi2 is that of Gaussian counts with linear
 * nuisances, exact for most likelihoods, whose vectors are prepared once for all toys. From every local minimum on it
 * that can matter Newton's method goes to the minimum of the likelihood itself. */
#include "toys.h"

#include "likelihood.h"
#include "random.h"

enum { MOST_STARTS = 6, POLISH_STEPS = 80, FAR = 2, BISECTIONS = 40, MASSES = 5 };
static const double NEAR = 0.3;     /* standard deviations that the first point of a ray changes counts by */
static const double BEYOND = 6;     /* more than the truth does, that the last one changes them by */
static const double MATTERS = 9;    /* chi2 above the lowest of the lattice, of a start that is tried */
static const double ENOUGH = 1e-9;  /* of chi2, that a step of Newton's method still promises where it ends */

/* The lattice of the parameters that are not fixed: [slabs][directions][radii], and zero couplings in each slab. */
typedef struct {
    size_t slabs, directions, radii, points, nuisances; /* those that are not fixed */
    int ring;       /* whether a direction has those of its neighbours beside it */
    double *theta;  /* [points][parameters] */
    double *moved;  /* [points][bins] sqrt(w) (mu - mu at the truth) */
    double *weight; /* [points][bins] sqrt(w) */
    double *project; /* [points][nuisances][bins] U */
    double *constant; /* [points][nuisances] U moved */
    double *pulled; /* [points][nuisances][all nuisances] V */
} lattice;

struct toy_plan {
    cevns_fast_likelihood likelihood; /* with data of its own */
    experiment *experiments;
    struct toys toys;
    lattice all, some;
    double *room, *data, *weight, *centre, *residual, *shifted, *value, *best, *try, *gradient, *hessian, *matrix, *step;
    double *delta, *truth, *scratch, *shifts;
    int *is_free;
    int none_fixed, searched; /* whether anything is fixed; whether a coupling is left when all these are */
    point at;
};

/* ---- throwing -------------------------------------------------------------------------------------------- */

static double throw_data(toy_plan *p, size_t number)
{
    const cevns_fast_likelihood *l = &p->likelihood;
    struct random_stream stream;
    random_start(&stream, p->toys.key, p->toys.place, (uint32_t)number);
    double hidden = 0;
    for (size_t k = 0; k < l->nuisances; k++) {
        p->delta[k] = random_normal(&stream);
        p->centre[k] = p->toys.pull[k] + p->delta[k];
        p->delta[k] *= l->strength[k];
    }
    for (size_t i = 0; i < l->experiments; i++) {
        const experiment *e = l->experiment + i;
        for (size_t j = e->first_bin; j < e->first_bin + e->bins; j++) {
            if (e->statistic != POISSON) {
                p->data[j] = p->toys.mean[j] + p->toys.spread[j] * random_normal(&stream);
                continue;
            }
            p->data[j] = random_poisson(&stream, p->toys.mean[j]);
            if (isfinite(e->off_on_ratio))
                p->weight[j] = random_poisson(&stream, p->toys.spread[j]);
        }
        for (double n = p->toys.hidden[i]; n > 0; n--) {
            double x = random_normal(&stream);
            hidden += x * x;
        }
    }
    return hidden;
}

void cevns_fast_toys_throw(toy_plan *p, size_t number, double *data, double *weight, double *centre, double *hidden)
{
    *hidden = throw_data(p, number);
    memcpy(data, p->data, p->likelihood.bins * sizeof(double));
    memcpy(weight, p->weight, p->likelihood.bins * sizeof(double));
    memcpy(centre, p->centre, p->likelihood.nuisances * sizeof(double));
}

/* ---- the lattice ----------------------------------------------------------------------------------------- */

/* Square roots of the weights that Gaussian counts would have. */
static void weigh_roughly(const toy_plan *p, double *weight)
{
    const cevns_fast_likelihood *l = &p->likelihood;
    for (size_t i = 0; i < l->experiments; i++) {
        const experiment *e = l->experiment + i;
        for (size_t b = 0, j = e->first_bin; b < e->bins; b++, j++) {
            double n = p->at.signal[j], shape = n + e->background[b], on = p->toys.mean[j];
            double variance = 1 / e->weight[b];
            if (e->statistic == PREDICTED_VARIANCE)
                variance = n + p->weight[j] + e->shape_variance * shape * shape;
            else if (e->statistic == POISSON)
                variance = fmax(on, 0.5) + p->toys.spread[j] / (e->off_on_ratio * e->off_on_ratio);
            weight[j] = variance > 0 ? 1 / sqrt(variance) : 0;
        }
    }
}

/* mu and responses to a_k at theta, with nuisances at the truth; sqrt(w). */
static void predict_at(toy_plan *p, const double *theta, double *weight)
{
    cevns_fast_likelihood *l = &p->likelihood;
    memcpy(p->at.solved, p->truth, l->nuisances * sizeof(double));
    for (size_t k = 0; k < l->nuisances; k++)
        if (l->nuisance_at[k] != NONE)
            p->at.solved[k] = theta[l->nuisance_at[k]];
    cevns_fast_predict(l, theta, &p->at);
    weigh_roughly(p, weight);
}

/* Solve a = mix (c - offset) for c, by Gauss elimination with pivots. */
static void unmix(const cevns_fast_likelihood *l, double *matrix, double *x)
{
    size_t n = l->nuisances;
    memcpy(matrix, l->mix, n * n * sizeof(double));
    for (size_t i = 0; i < n; i++) {
        size_t pivot = i;
        for (size_t j = i + 1; j < n; j++)
            if (fabs(matrix[j * n + i]) > fabs(matrix[pivot * n + i]))
                pivot = j;
        for (size_t j = 0; j < n; j++) {
            double swapped = matrix[i * n + j];
            matrix[i * n + j] = matrix[pivot * n + j];
            matrix[pivot * n + j] = swapped;
        }
        double swapped = x[i];
        x[i] = x[pivot];
        x[pivot] = swapped;
        for (size_t j = i + 1; j < n; j++) {
            double ratio = matrix[j * n + i] / matrix[i * n + i];
            for (size_t k = i; k < n; k++)
                matrix[j * n + k] -= ratio * matrix[i * n + k];
            x[j] -= ratio * x[i];
        }
    }
    for (size_t i = n; i-- > 0;) {
        for (size_t j = i + 1; j < n; j++)
            x[i] -= matrix[i * n + j] * x[j];
        x[i] /= matrix[i * n + i];
    }
}

/* How many standard deviations counts of the signal change by between the origin and theta; mu0[bins] there. */
static double distance(toy_plan *p, const double *theta, const double *mu0, const double *weight)
{
    double sum = 0, *mine = p->shifted;
    predict_at(p, theta, mine);
    for (size_t j = 0; j < p->likelihood.bins; j++) {
        double x = weight[j] * (p->at.mu[j] - mu0[j]);
        sum += x * x;
    }
    return sqrt(sum);
}

/* The point `radius` along a direction[couplings] from zero couplings, within the bounds. */
static void along(const toy_plan *p, const double *base, const double *direction, double radius, double *theta)
{
    const cevns_fast_likelihood *l = &p->likelihood;
    memcpy(theta, base, l->parameters * sizeof(double));
    for (size_t c = 0; c < l->couplings; c++) {
        size_t i = l->coupling_at[c];
        if (direction[c] != 0)
            theta[i] = fmin(fmax(radius * direction[c], l->lower[i]), l->upper[i]);
    }
}

/* What screens a toy at lattice point g: the residual r, sqrt(w) (data - mu), and auxiliary measurements delta from the
 * pulls of the truth cost |r|^2 + |delta|^2 - |U r + V delta|^2, minimised over nuisances. U = L^-1 R, V = L^-1 for
 * 1 + R R^T = L L^T, with responses R[nuisances][bins] times sqrt(w). */
static void prepare(toy_plan *p, lattice *grid, const int *fixed, size_t g, const double *mu0)
{
    const cevns_fast_likelihood *l = &p->likelihood;
    size_t n = l->nuisances, bins = l->bins, m = 0;
    double *theta = grid->theta + g * l->parameters, *weight = grid->weight + g * bins;
    double *moved = grid->moved + g * bins, *U = grid->project + g * grid->nuisances * bins;
    double *V = grid->pulled + g * grid->nuisances * n, *gram = p->scratch;
    predict_at(p, theta, weight);
    for (size_t j = 0; j < bins; j++)
        moved[j] = weight[j] * (p->at.mu[j] - mu0[j]);
    memset(V, 0, grid->nuisances * n * sizeof(double));
    for (size_t k = 0; k < n; k++) { /* responses to a_k: those to c, times the inverse of mix, in `shifts` */
        if (fixed && l->nuisance_at[k] != NONE && fixed[l->nuisance_at[k]])
            continue;
        for (size_t j = 0; j < bins; j++) {
            double sum = 0;
            for (size_t c = 0; c < n; c++)
                sum += p->at.response[c * bins + j] * p->shifts[c * n + k];
            U[m * bins + j] = weight[j] * sum;
        }
        V[m * n + k] = l->strength[k];
        m++;
    }
    for (size_t k = 0, active = 0; k < n; k++) {
        if (fixed && l->nuisance_at[k] != NONE && fixed[l->nuisance_at[k]])
            continue;
        for (size_t j = 0; j <= active; j++)
            gram[active * n + j] = dot(bins, U + active * bins, U + j * bins);
        gram[active * n + active] += l->strength[k] > 0 ? 1 : 1e-12;
        active++;
    }
    for (size_t k = 0; k < m; k++) { /* Cholesky, applied to the rows of U and V as it goes */
        for (size_t j = 0; j < k; j++) {
            for (size_t i = 0; i < j; i++)
                gram[k * n + j] -= gram[k * n + i] * gram[j * n + i];
            gram[k * n + j] /= gram[j * n + j];
            double factor = gram[k * n + j];
            for (size_t b = 0; b < bins; b++)
                U[k * bins + b] -= factor * U[j * bins + b];
            for (size_t i = 0; i < n; i++)
                V[k * n + i] -= factor * V[j * n + i];
        }
        for (size_t i = 0; i < k; i++)
            gram[k * n + k] -= gram[k * n + i] * gram[k * n + i];
        double root = gram[k * n + k] = sqrt(fmax(gram[k * n + k], 1e-300));
        for (size_t b = 0; b < bins; b++)
            U[k * bins + b] /= root;
        for (size_t i = 0; i < n; i++)
            V[k * n + i] /= root;
    }
    for (size_t k = 0; k < m; k++)
        grid->constant[g * grid->nuisances + k] = dot(bins, U + k * bins, moved);
}

/* Whether counts do not change with the sign of the couplings marked. */
static int is_even(const cevns_fast_likelihood *l, const int *marked)
{
    for (size_t m = 0; m < l->monomials; m++) {
        size_t degree = 0;
        for (size_t f = l->first_factor[m]; f < l->first_factor[m + 1]; f++)
            if (marked[l->factor[f]])
                degree += l->power[f];
        if (degree % 2)
            return 0;
    }
    return 1;
}

/* Unit vectors in the space of couplings that are free, how many; with two, in the order of their angle. */
static size_t directions_of(const toy_plan *p, const int *fixed, size_t most, double *out, int *ring)
{
    const cevns_fast_likelihood *l = &p->likelihood;
    size_t n = l->couplings, which[64], k = 0, found = 0;
    int marked[64] = {0};
    for (size_t c = 0; c < n && k < 64; c++)
        if (!fixed || !fixed[l->coupling_at[c]]) {
            marked[c] = 1;
            which[k++] = c;
        }
    *ring = 0;
    int even = k > 0 && is_even(l, marked);
    if (k == 0)
        return 0;
    if (k == 1) {
        for (int sign = 1; sign >= (even ? 1 : -1); sign -= 2, found++) {
            memset(out + found * n, 0, n * sizeof(double));
            out[found * n + which[0]] = sign;
        }
        return found;
    }
    if (k == 2) { /* rays between the axes too, and with them, for minima where one coupling is zero */
        *ring = 1;
        size_t count = even ? most / 2 : most;
        for (; found < count; found++) {
            double angle = 6.283185307179586 * (double)found / (double)most;
            memset(out + found * n, 0, n * sizeof(double));
            out[found * n + which[0]] = fabs(cos(angle)) < 1e-12 ? 0 : cos(angle);
            out[found * n + which[1]] = fabs(sin(angle)) < 1e-12 ? 0 : sin(angle);
        }
        return found;
    }
    /* Axes, diagonals of two and of three. */
    for (size_t a = 0; a < k; a++)
        for (size_t b = a; b < k; b++)
            for (size_t c = b; c < k; c++)
                for (int signs = 0; signs < 8; signs++) {
                    if ((a == b && (signs & 2)) || (b == c && (signs & 4)) || (a == b && b != c) || (even && (signs & 1)))
                        continue;
                    if (out) {
                        memset(out + found * n, 0, n * sizeof(double));
                        out[found * n + which[a]] = signs & 1 ? -1 : 1;
                        if (b != a)
                            out[found * n + which[b]] = signs & 2 ? -1 : 1;
                        if (c != b)
                            out[found * n + which[c]] = signs & 4 ? -1 : 1;
                    }
                    found++;
                }
    return found;
}

/* Sizes of couplings that change counts by one standard deviation from zero, each alone. */
static void sizes_of(toy_plan *p, const double *base, const double *mu0, const double *weight, double *size)
{
    const cevns_fast_likelihood *l = &p->likelihood;
    double direction[64] = {0};
    for (size_t c = 0; c < l->couplings && c < 64; c++) {
        direction[c] = 1;
        double low = 1e-30, high = 1e30;
        for (int i = 0; i < BISECTIONS + 20; i++) {
            double middle = sqrt(low * high);
            along(p, base, direction, middle, p->try);
            if (distance(p, p->try, mu0, weight) > 1)
                high = middle;
            else
                low = middle;
        }
        size[c] = low < 1e29 ? low : 1;
        direction[c] = 0;
    }
}

/* Where amplitudes cancel, signals hardly change along a thin valley across the couplings. In coordinates in which the
 * quadratic form of all counts together is round, z = size L^-T u with A = L L^T, rays see valleys as well as all else. */
static void round_off(toy_plan *p, const double *base, const double *weight, const double *size, const int *fixed,
                      double *A)
{
    const cevns_fast_likelihood *l = &p->likelihood;
    size_t n = l->couplings;
    double direction[64] = {0}, sums[3];
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j <= i; j++) {
            A[i * n + j] = i == j;
            if (fixed && (fixed[l->coupling_at[i]] || fixed[l->coupling_at[j]]))
                continue;
            for (int t = 0; t < 3; t++) { /* the second difference, where signs are (+ +), (+ -) and (0 0) */
                direction[i] = t < 2 ? size[i] : 0;
                direction[j] = i == j ? direction[i] * (t == 1 ? -1 : 1) : t < 2 ? size[j] * (t == 1 ? -1 : 1) : 0;
                along(p, base, direction, 1, p->try);
                predict_at(p, p->try, p->shifted);
                sums[t] = dot(l->bins, weight, p->at.mu);
                direction[i] = direction[j] = 0;
            }
            A[i * n + j] = i == j ? (sums[0] + sums[1]) / 2 - sums[2] : (sums[0] - sums[1]) / 4;
        }
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++)
            A[i * n + j] /= sqrt(fabs(A[i * n + i] * A[j * n + j])) + 1e-300;
    for (size_t i = 0; i < n; i++) { /* Cholesky */
        double diagonal = 1;
        for (size_t j = 0; j < i; j++) {
            for (size_t k = 0; k < j; k++)
                A[i * n + j] -= A[i * n + k] * A[j * n + k];
            A[i * n + j] /= A[j * n + j];
            diagonal -= A[i * n + j] * A[i * n + j];
        }
        A[i * n + i] = sqrt(fmax(diagonal, 1e-4));
    }
}

/* Points of a lattice; 0 if memory is short. */
static int build(toy_plan *p, lattice *grid, const int *fixed, const double *mu_truth)
{
    const cevns_fast_likelihood *l = &p->likelihood;
    size_t n = l->couplings, bins = l->bins, room = 8 * (n * (n + 1) * (n + 2) / 6 + 1);
    size_t most = p->toys.directions > 2 ? p->toys.directions : 2;
    if (room < most)
        room = most;
    double *rays = calloc(room * (n + 1), sizeof(double)), *mu0 = calloc(3 * bins + n * (n + 1) + l->parameters + 1, sizeof(double));
    if (!rays || !mu0 || n > 64) {
        free(rays);
        free(mu0);
        return 0;
    }
    double *weight = mu0 + bins, *at_truth = weight + bins, *size = at_truth + bins, *base = size + n, *A = base + l->parameters;
    grid->directions = directions_of(p, fixed, most, rays, &grid->ring);
    int masses = l->x_at != NONE && !(fixed && fixed[l->x_at]);
    grid->slabs = masses ? MASSES : 1;
    grid->radii = p->toys.radii + FAR;
    size_t per_slab = grid->directions * grid->radii + 1;
    grid->points = grid->slabs * per_slab + 1; /* the last is the truth */
    grid->nuisances = 0;
    for (size_t k = 0; k < l->nuisances; k++)
        grid->nuisances += !(fixed && l->nuisance_at[k] != NONE && fixed[l->nuisance_at[k]]);
    size_t m = grid->nuisances;
    grid->theta = malloc(grid->points * (l->parameters + bins * (2 + m) + m * (1 + l->nuisances) + 1) * sizeof(double));
    if (!grid->theta) {
        free(rays);
        free(mu0);
        return 0;
    }
    grid->moved = grid->theta + grid->points * l->parameters;
    grid->weight = grid->moved + grid->points * bins;
    grid->project = grid->weight + grid->points * bins;
    grid->constant = grid->project + grid->points * bins * m;
    grid->pulled = grid->constant + grid->points * m;
    for (size_t slab = 0; slab < grid->slabs; slab++) {
        double *theta = grid->theta + slab * per_slab * l->parameters;
        memcpy(base, p->toys.theta, l->parameters * sizeof(double));
        for (size_t c = 0; c < n; c++) {
            size_t i = l->coupling_at[c];
            if (!fixed || !fixed[i])
                base[i] = fmin(fmax(0, l->lower[i]), l->upper[i]);
        }
        if (masses)
            base[l->x_at] = l->lower[l->x_at] +
                            (l->upper[l->x_at] - l->lower[l->x_at]) * (double)(slab + 1) / (MASSES + 1);
        predict_at(p, base, weight);
        memcpy(mu0, p->at.mu, bins * sizeof(double));
        sizes_of(p, base, mu0, weight, size);
        round_off(p, base, weight, size, fixed, A);
        double farthest = BEYOND + distance(p, p->toys.theta, mu0, weight);
        for (size_t d = 0; d < grid->directions; d++) {
            double *ray = rays + d * n, low = 1e-30, high = 1e30, least;
            double turned[64];
            for (size_t c = n; c-- > 0;) {
                turned[c] = ray[c];
                for (size_t k = c + 1; k < n; k++)
                    turned[c] -= A[k * n + c] * turned[k];
                turned[c] /= A[c * n + c];
            }
            for (size_t c = 0; c < n; c++)
                turned[c] *= size[c];
            for (int i = 0; i < BISECTIONS; i++) { /* where counts begin to change */
                double middle = sqrt(low * high);
                along(p, base, turned, middle, p->try);
                if (distance(p, p->try, mu0, weight) > NEAR)
                    high = middle;
                else
                    low = middle;
            }
            least = low;
            high = 1e30;
            for (double x = least; x < 1e6 * least; x *= 1.6) { /* where they have changed too much for good */
                along(p, base, turned, x, p->try);
                if (distance(p, p->try, mu0, weight) <= farthest)
                    high = 1.6 * x;
            }
            if (high > 1e29)
                high = 10 * least;
            double ratio = p->toys.radii > 1 ? pow(high / least, 1 / (double)(p->toys.radii - 1)) : 1;
            for (size_t r = 0; r < grid->radii; r++)
                along(p, base, turned,
                      r < p->toys.radii ? least * pow(ratio, (double)r) : high * (r == p->toys.radii ? 5 : 50),
                      theta + (1 + d * grid->radii + r) * l->parameters);
        }
        memcpy(theta, base, l->parameters * sizeof(double));
    }
    memcpy(grid->theta + (grid->points - 1) * l->parameters, p->toys.theta, l->parameters * sizeof(double));
    for (size_t g = 0; g < grid->points; g++)
        prepare(p, grid, fixed, g, mu_truth);
    free(rays);
    free(mu0);
    return 1;
}

/* ---- minimising ------------------------------------------------------------------------------------------ */

/* chi2 that Gaussian counts have at a lattice point, but for a constant. */
static double screen(const toy_plan *p, const lattice *grid, size_t g)
{
    const cevns_fast_likelihood *l = &p->likelihood;
    size_t n = l->nuisances, m = grid->nuisances, bins = l->bins;
    const double *restrict weight = grid->weight + g * bins, *restrict moved = grid->moved + g * bins;
    double *restrict rest = p->shifted;
    for (size_t j = 0; j < bins; j++)
        rest[j] = weight[j] * p->residual[j] - moved[j];
    double value = dot(bins, rest, rest);
    for (size_t k = 0; k < m; k++) {
        double x = dot(bins, grid->project + (g * m + k) * bins, rest) +
                   dot(n, grid->pulled + (g * m + k) * n, p->delta);
        value -= x * x;
    }
    return value;
}

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
static double polish(toy_plan *p, double *theta, const int *fixed)
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

/* The lowest minimum of chi2 over what is not fixed; `theta` is a further start, and receives it. */
static double lowest(toy_plan *p, const lattice *grid, const int *fixed, double *theta)
{
    cevns_fast_likelihood *l = &p->likelihood;
    size_t n = l->parameters, per_slab = grid->directions * grid->radii + 1, starts[MOST_STARTS], count = 0;
    double values[MOST_STARTS], least = INFINITY;
    for (size_t g = 0; g < grid->points; g++) {
        p->value[g] = screen(p, grid, g);
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
            for (size_t side = 1; grid->ring && D > 2 && local && side <= 2; side++) {
                size_t other = (side == 1 ? d + D - 1 : d + 1) % D;
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
    double value = cevns_fast_evaluate(l, theta, n, 0, &p->at), found;
    int polished = 0;
    for (size_t i = 0; i < count; i++) {
        memcpy(p->best, grid->theta + starts[i] * n, n * sizeof(double));
        for (size_t j = 0; j < n; j++) /* nuisances that are parameters begin where the last minimum had them */
            if (fixed && fixed[j])
                p->best[j] = p->toys.theta[j];
        if (i == 0 && isfinite(value)) { /* the minimum before may be nearer */
            double here = cevns_fast_evaluate(l, p->best, n, 0, &p->at);
            if (value < here)
                memcpy(p->best, theta, n * sizeof(double));
        }
        found = polish(p, p->best, fixed);
        if (!polished || found < value) {
            value = found;
            memcpy(theta, p->best, n * sizeof(double));
            polished = 1;
        }
    }
    return polished ? value : polish(p, theta, fixed);
}

void cevns_fast_toys_run(toy_plan *p, size_t first, size_t n, double *out, double *best)
{
    cevns_fast_likelihood *l = &p->likelihood;
    size_t size = l->parameters;
    double *before = p->scratch + l->nuisances * l->nuisances, *there = before + size;
    memcpy(before, p->toys.theta, size * sizeof(double));
    for (size_t i = 0; i < n; i++) {
        double hidden = throw_data(p, first + i);
        for (size_t b = 0; b < l->experiments; b++) {
            const experiment *e = l->experiment + b;
            for (size_t j = e->first_bin; j < e->first_bin + e->bins; j++) {
                double off = e->statistic == POISSON && isfinite(e->off_on_ratio) ? p->weight[j] / e->off_on_ratio : 0;
                p->residual[j] = p->data[j] - off - p->gradient[size + j];
            }
        }
        double least = lowest(p, &p->all, NULL, before);
        if (p->none_fixed)
            out[i] = least + hidden;
        else {
            memcpy(there, p->toys.theta, size * sizeof(double));
            double fixed = p->searched ? lowest(p, &p->some, p->toys.fixed, there) : polish(p, there, p->toys.fixed);
            out[i] = fmax(0, fixed - least);
            if (fixed < least) {
                least = fixed;
                memcpy(before, there, size * sizeof(double));
            }
        }
        if (best)
            memcpy(best + i * size, before, size * sizeof(double));
    }
}

void cevns_fast_toys_close(toy_plan *p)
{
    if (!p)
        return;
    free(p->all.theta);
    free(p->some.theta);
    free(p->room);
    free(p->experiments);
    free(p->is_free);
    free(p);
}

toy_plan *cevns_fast_toys_plan(const cevns_fast_likelihood *from, const struct toys *toys)
{
    toy_plan *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    size_t n = from->parameters, k = from->nuisances, bins = from->bins;
    size_t most = toys->directions > 2 ? toys->directions : 2;
    size_t rays = 8 * (from->couplings * (from->couplings + 1) * (from->couplings + 2) / 6 + 1);
    size_t points = MASSES * ((rays > most ? rays : most) * (toys->radii + FAR) + 1) + 1;
    p->experiments = malloc((from->experiments + 1) * sizeof(experiment));
    p->is_free = malloc((n + 1) * sizeof(int));
    p->room = calloc(from->workspace + 5 * bins + points + 2 * n * n + 8 * n + 3 * k + 3 * k * k + bins + 8,
                     sizeof(double));
    if (!p->experiments || !p->is_free || !p->room) {
        cevns_fast_toys_close(p);
        return NULL;
    }
    p->toys = *toys;
    p->likelihood = *from;
    p->likelihood.experiment = p->experiments;
    double *next = p->room;
    cevns_fast_place(from, next, &p->at);
    next += from->workspace;
    p->data = next, next += bins;
    p->weight = next, next += bins;
    p->residual = next, next += bins;
    p->shifted = next, next += bins;
    p->centre = next, next += k;
    p->delta = next, next += k;
    p->truth = next, next += k;
    p->shifts = next, next += k * k;
    p->best = next, next += n;
    p->try = next, next += n;
    p->step = next, next += n;
    p->hessian = next, next += n * n;
    p->matrix = next, next += n * n;
    p->gradient = next, next += n + bins; /* behind it: mu at the truth */
    p->value = next, next += points;
    p->scratch = next;
    for (size_t i = 0; i < from->experiments; i++) {
        p->experiments[i] = from->experiment[i];
        experiment *e = p->experiments + i;
        memcpy(p->weight + e->first_bin, e->weight, e->bins * sizeof(double));
        e->data = p->data + e->first_bin;
        e->weight = p->weight + e->first_bin;
    }
    p->likelihood.centre = p->centre;
    /* The inverse of mix, column by column, and c at the truth. */
    for (size_t c = 0; c < k; c++) {
        memset(p->truth, 0, k * sizeof(double));
        p->truth[c] = 1;
        unmix(from, p->scratch, p->truth);
        for (size_t i = 0; i < k; i++)
            p->shifts[i * k + c] = p->truth[i];
    }
    memcpy(p->truth, toys->pull, k * sizeof(double));
    unmix(from, p->scratch, p->truth);
    for (size_t i = 0; i < k; i++)
        p->truth[i] += from->offset[i];
    double *mu = p->gradient + n;
    predict_at(p, toys->theta, p->residual);
    memcpy(mu, p->at.mu, bins * sizeof(double));
    p->none_fixed = 1;
    for (size_t i = 0; i < n; i++)
        p->none_fixed &= !toys->fixed[i];
    for (size_t c = 0; c < from->couplings; c++)
        p->searched |= !toys->fixed[from->coupling_at[c]];
    p->searched |= from->x_at != NONE && !toys->fixed[from->x_at];
    p->searched &= !p->none_fixed;
    if (!build(p, &p->all, NULL, mu) || (p->searched && !build(p, &p->some, toys->fixed, mu))) {
        cevns_fast_toys_close(p);
        return NULL;
    }
    return p;
}
