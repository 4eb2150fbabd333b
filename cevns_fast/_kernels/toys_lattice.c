/* The lattice: rays from zero couplings, and from where there are fewest counts if couplings interfere with something,
 * with points from where counts begin to change to where they have changed by several standard deviations more than at
 * the truth. */
#include "toys_plan.h"

enum { BISECTIONS = 40 };
static const double NEAR = 0.3; /* standard deviations that the first point of a ray changes counts by */
static const double BEYOND = 6; /* more than the truth does, that the last one changes them by */

/* How many standard deviations counts of the signal change by between the origin and theta; mu0[bins] there. */
static double distance(toy_plan *p, const double *theta, const double *mu0, const double *weight)
{
    double sum = 0, *mine = p->shifted;
    toys_predict(p, theta, mine);
    for (size_t j = 0; j < p->likelihood.bins; j++) {
        double x = weight[j] * (p->at.mu[j] - mu0[j]);
        sum += x * x;
    }
    return sqrt(sum);
}

/* The point `radius` along a direction[couplings] from the base, within the bounds. */
static void along(const toy_plan *p, const double *base, const double *direction, double radius, double *theta)
{
    const cevns_fast_likelihood *l = &p->likelihood;
    memcpy(theta, base, l->parameters * sizeof(double));
    for (size_t c = 0; c < l->couplings; c++) {
        size_t i = l->coupling_at[c];
        if (direction[c] != 0)
            theta[i] = fmin(fmax(base[i] + radius * direction[c], l->lower[i]), l->upper[i]);
    }
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

/* Vectors in the space of couplings that are free, how many; half of them where signs do not matter. */
static size_t directions_of(const toy_plan *p, const int *fixed, size_t most, double *out, int *even)
{
    const cevns_fast_likelihood *l = &p->likelihood;
    size_t n = l->couplings, which[64], k = 0, found = 0;
    int marked[64] = {0};
    for (size_t c = 0; c < n && k < 64; c++)
        if (!fixed || !fixed[l->coupling_at[c]]) {
            marked[c] = 1;
            which[k++] = c;
        }
    *even = k > 0 && is_even(l, marked);
    if (k == 0)
        return 0;
    if (k == 1) {
        for (int sign = 1; sign >= (*even ? 1 : -1); sign -= 2, found++) {
            memset(out + found * n, 0, n * sizeof(double));
            out[found * n + which[0]] = sign;
        }
        return found;
    }
    if (k == 2) { /* rays between the axes too, and with them, for minima where one coupling is zero */
        size_t count = *even ? most / 2 : most;
        for (; found < count; found++) {
            double angle = 6.283185307179586 * (double)found / (double)most;
            memset(out + found * n, 0, n * sizeof(double));
            out[found * n + which[0]] = fabs(cos(angle)) < 1e-12 ? 0 : cos(angle);
            out[found * n + which[1]] = fabs(sin(angle)) < 1e-12 ? 0 : sin(angle);
        }
        return found;
    }
    if (k == 3) { /* through the points of a cube's surface, five along each side */
        for (int point = 0; point < 125; point++) {
            int at[3] = {point % 5 - 2, point / 5 % 5 - 2, point / 25 - 2}, first = 0, odd = 0;
            for (int c = 0; c < 3; c++) {
                odd |= at[c] % 2;
                first = first ? first : at[c];
            }
            if (!odd || (*even && first < 0)) /* half of it is there too; the other sign is the same */
                continue;
            memset(out + found * n, 0, n * sizeof(double));
            for (int c = 0; c < 3; c++)
                out[found * n + which[c]] = at[c];
            found++;
        }
        return found;
    }
    /* Of more, axes and diagonals of two and of three. */
    for (size_t a = 0; a < k; a++)
        for (size_t b = a; b < k; b++)
            for (size_t c = b; c < k; c++)
                for (int signs = 0; signs < 8; signs++) {
                    if ((a == b && (signs & 2)) || (b == c && (signs & 4)) || (a == b && b != c) || (*even && (signs & 1)))
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

/* Which directions are next to each other: two of a circle, about eight of a sphere. */
static void neighbours(const lattice *grid, size_t n, const double *rays, int even, unsigned char *beside)
{
    size_t D = grid->directions, circle = even ? 2 * D : D, dimensions = 0;
    for (size_t c = 0; c < n; c++) {
        int any = 0;
        for (size_t d = 0; d < D; d++)
            any |= rays[d * n + c] != 0;
        dimensions += any;
    }
    double apart = dimensions == 2 ? cos(1.5 * 6.283185307179586 / (double)circle) : 0.8;
    for (size_t d = 0; d < D; d++)
        for (size_t e = 0; e < D; e++) {
            const double *a = rays + d * n, *b = rays + e * n;
            double cosine = dot(n, a, b) / sqrt(dot(n, a, a) * dot(n, b, b));
            beside[d * D + e] = d != e && dimensions > 1 && (even ? fabs(cosine) : cosine) > apart;
        }
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
                      double *A, double *diagonal)
{
    const cevns_fast_likelihood *l = &p->likelihood;
    size_t n = l->couplings;
    double direction[64] = {0};
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j <= i; j++) {
            A[i * n + j] = i == j;
            if (fixed && (fixed[l->coupling_at[i]] || fixed[l->coupling_at[j]]))
                continue;
            double sum = 0; /* of the second difference, to which linear terms do not contribute */
            for (int t = 0; t < 4; t++) {
                double first = t & 1 ? -1 : 1, second = t & 2 ? -1 : 1;
                direction[i] = first * size[i];
                if (i != j)
                    direction[j] = second * size[j];
                else if (t & 2)
                    direction[i] = 0;
                along(p, base, direction, 1, p->try);
                toys_predict(p, p->try, p->shifted);
                sum += (i == j ? second : first * second) * dot(l->bins, weight, p->at.mu);
                direction[i] = direction[j] = 0;
            }
            A[i * n + j] = i == j ? sum / 2 : sum / 8;
        }
    for (size_t i = 0; i < n; i++)
        diagonal[i] = sqrt(fabs(A[i * n + i])) + 1e-150;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++)
            A[i * n + j] /= diagonal[i] * diagonal[j];
    for (size_t i = 0; i < n; i++) { /* Cholesky */
        double rest = 1;
        for (size_t j = 0; j < i; j++) {
            for (size_t k = 0; k < j; k++)
                A[i * n + j] -= A[i * n + k] * A[j * n + k];
            A[i * n + j] /= A[j * n + j];
            rest -= A[i * n + j] * A[i * n + j];
        }
        A[i * n + i] = sqrt(fmax(rest, 1e-4));
    }
}

/* Where couplings that are free make the fewest counts, into the base: with what they interfere with, minima lie on all
 * sides of that, not of zero. A and the diagonal are those of `round_off`. */
static void recentre(toy_plan *p, double *base, const double *weight, const double *size, const int *fixed,
                     const double *A, const double *diagonal)
{
    const cevns_fast_likelihood *l = &p->likelihood;
    size_t n = l->couplings;
    double direction[64] = {0}, x[64];
    for (size_t i = 0; i < n; i++) {
        double sum = 0;
        for (int sign = -1; sign <= 1; sign += 2) {
            direction[i] = fixed && fixed[l->coupling_at[i]] ? 0 : sign * size[i];
            along(p, base, direction, 1, p->try);
            toys_predict(p, p->try, p->shifted);
            sum += sign * dot(l->bins, weight, p->at.mu);
        }
        direction[i] = 0;
        x[i] = -sum / 4 / diagonal[i];
    }
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < i; j++)
            x[i] -= A[i * n + j] * x[j];
        x[i] /= A[i * n + i];
    }
    for (size_t i = n; i-- > 0;) {
        for (size_t j = i + 1; j < n; j++)
            x[i] -= A[j * n + i] * x[j];
        x[i] /= A[i * n + i];
    }
    for (size_t i = 0; i < n; i++)
        x[i] *= size[i] / diagonal[i];
    memcpy(p->try, base, l->parameters * sizeof(double));
    along(p, p->try, x, 1, base);
}

/* Points of a lattice; 0 if memory is short. */
int toys_build(toy_plan *p, lattice *grid, const int *fixed, const double *mu_truth)
{
    const cevns_fast_likelihood *l = &p->likelihood;
    size_t n = l->couplings, bins = l->bins, most = p->toys.directions > 2 ? p->toys.directions : 2;
    size_t room = toys_most_rays(n, most);
    double *rays = calloc(room * (n + 1), sizeof(double)), *mu0 = calloc(3 * bins + n * (n + 2) + l->parameters + 1, sizeof(double));
    if (!rays || !mu0 || n > 64) {
        free(rays);
        free(mu0);
        return 0;
    }
    double *weight = mu0 + bins, *at_truth = weight + bins, *size = at_truth + bins, *base = size + n, *A = base + l->parameters, *diagonal = A + n * n;
    int even;
    grid->directions = directions_of(p, fixed, most, rays, &even);
    int masses = l->x_at != NONE && !(fixed && fixed[l->x_at]);
    grid->slabs = masses ? MASSES : even ? 1 : 2; /* with interference, around the fewest counts too */
    grid->radii = p->toys.radii + FAR;
    size_t per_slab = grid->directions * grid->radii + 1;
    grid->points = grid->slabs * per_slab + 1; /* the last is the truth */
    grid->nuisances = 0;
    for (size_t k = 0; k < l->nuisances; k++)
        grid->nuisances += !(fixed && l->nuisance_at[k] != NONE && fixed[l->nuisance_at[k]]);
    size_t m = grid->nuisances;
    grid->theta = malloc(grid->points * (l->parameters + bins * (2 + m) + m * (1 + l->nuisances) + 1) * sizeof(double));
    grid->beside = malloc(grid->directions * grid->directions + 1);
    if (!grid->theta || !grid->beside) {
        free(rays);
        free(mu0);
        return 0;
    }
    neighbours(grid, n, rays, even, grid->beside);
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
        toys_predict(p, base, weight);
        memcpy(mu0, p->at.mu, bins * sizeof(double));
        sizes_of(p, base, mu0, weight, size);
        round_off(p, base, weight, size, fixed, A, diagonal);
        if (!masses && slab > 0) {
            recentre(p, base, weight, size, fixed, A, diagonal);
            toys_predict(p, base, weight);
            memcpy(mu0, p->at.mu, bins * sizeof(double));
            sizes_of(p, base, mu0, weight, size);
            round_off(p, base, weight, size, fixed, A, diagonal);
        }
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
        toys_prepare(p, grid, fixed, g, mu_truth);
    free(rays);
    free(mu0);
    return 1;
}
