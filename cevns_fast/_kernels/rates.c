/* The rate kernel: see rates.h.
 *
 * The integration variable is tau = sqrt(T), in which E_min, the flux moments and form factors are analytic down to
 * T = 0. Panels and their nodes do not depend on the mass of the outgoing particle, except where a kinematic image of a
 * kink of the flux falls inside a panel: only there is anything but the flux moments evaluated anew. */
#include "rates.h"

#include "machine.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NODES RATES_NODES
#define T_POWERS RATES_T_POWERS
#define GROUP RATES_GROUP
#define HALF RATES_HALF
#define ROW RATES_ROW
enum { MASS_POWERS = 9, ALIGNMENT = 8 /* numbers: a cache line */ };

/* A vector of the compiler's, which becomes what the machine has; or, of a compiler without such, one number. */
#if (defined(__GNUC__) || defined(__clang__)) && !defined(NO_VECTORS) /* which tests define */
typedef double vector __attribute__((vector_size(GROUP * sizeof(double)), aligned(sizeof(double)), may_alias));
enum { LANES = GROUP };
#else
typedef double vector;
enum { LANES = 1 };
#endif

static const double GAUSS_X[NODES] = {-0.932469514203152, -0.6612093864662645, -0.2386191860831969,
                                      0.2386191860831969, 0.6612093864662645,  0.932469514203152};
static const double GAUSS_W[NODES] = {0.17132449237917036, 0.3607615730481386,  0.46791393457269104,
                                      0.46791393457269104, 0.3607615730481386, 0.17132449237917036};

/* One panel: the plan's, or a part of it made anew. */
typedef struct {
    double recoil[NODES], energy[NODES];
    double factor[NODES];  /* 1/T^2 and the propagators */
    const double *weight;  /* [NODES][bins, padded] */
} panel;

/* Where its nodes are in the flux. */
typedef struct {
    const double *row[NODES]; /* coefficients of the piece */
    double t[NODES];          /* from 0 at its end to 1 */
} position;

typedef struct {
    double *products; /* [NODES][T_POWERS][groups x GROUP] */
    double *weight;   /* [NODES][padded] of a panel made anew */
    double *sums;     /* [cells][padded] */
    double *result;   /* [rows][padded] */
    double *images;   /* [2 x n_kinks] */
} scratch;

static INLINE void recoil_limits(double E, double m, double M, double limits[2])
{
    limits[0] = limits[1] = 0.0;
    if (E <= 0.0 || E < m + m * m / (2.0 * M))
        return;
    /* 4M^2 E^2 - 4Mm^2 (E + M) + m^4, factored so that it does not cancel at threshold. */
    double square = (2.0 * M * (E - m) - m * m) * (2.0 * M * (E + m) - m * m);
    double root = square > 0.0 ? sqrt(square) : 0.0;
    double high = (2.0 * M * E * E - m * m * (E + M) + E * root) / (2.0 * M * (2.0 * E + M));
    limits[0] = m * m * m * m / (4.0 * M * (2.0 * E + M) * high);
    limits[1] = high;
}

static INLINE double massless_energy(double tau, double M)
{
    return 0.5 * (tau * sqrt(tau * tau + 2.0 * M) + tau * tau);
}

/* T_min falls with the energy and T_max rises, so that images of sorted kinks are sorted but for rounding. */
static INLINE size_t find_images(const double *kinks, size_t n_kinks, double m, double M, double least, double *images)
{
    size_t n = 0;
    double lowest = massless_energy(sqrt(least), M), limits[2];
    for (size_t k = n_kinks; k-- > 0 && kinks[k] >= lowest; n++) {
        recoil_limits(kinks[k], m, M, limits);
        if (limits[1] == 0.0)
            break;
        images[n] = limits[0];
        images[2 * n_kinks - 1 - n] = limits[1];
    }
    memmove(images + n, images + 2 * n_kinks - n, n * sizeof(double));
    n *= 2;
    for (size_t i = 1; i < n; i++) { /* by insertion: next to nothing is out of order */
        double value = images[i];
        size_t k = i;
        for (; k > 0 && images[k - 1] > value; k--)
            images[k] = images[k - 1];
        images[k] = value;
    }
    return n;
}

/* Index of the interval that holds x, searched from a nearby one. */
static INLINE size_t piece_of(const double *breaks, size_t pieces, double x, size_t hint)
{
    while (hint + 1 < pieces && x > breaks[hint + 1])
        hint++;
    while (hint > 0 && x < breaks[hint])
        hint--;
    return hint;
}

static INLINE size_t padded(size_t bins)
{
    return (bins + GROUP - 1) / GROUP * GROUP;
}

/* Weights of a node for the bins that a panel feeds: a vector of them, or one. */
static INLINE size_t weight_row(size_t bins)
{
    return bins == 1 ? 1 : padded(bins);
}

/* A whole panel of the plan; its weights stay there. */
static INLINE void known_panel(const rates_plan *plan, size_t place, double m2, double M, panel *p)
{
    for (size_t n = 0; n < NODES; n++) {
        size_t k = NODES * place + n;
        double factor = plan->mass_factor[k];
        p->recoil[n] = plan->recoil[k];
        p->energy[n] = plan->massless_energy[k] * (1.0 + m2 * factor);
        p->factor[n] = (2.0 * M * factor) * (2.0 * M * factor);
    }
    p->weight = plan->weight + plan->first_weight[place];
}

/* A part of a panel. */
static INLINE void new_panel(const rates_plan *plan, size_t place, double m2, double M, double low, double high,
                             double *weight, panel *p)
{
    size_t bins = (size_t)plan->bin_count[place], row = weight_row(bins), piece = (size_t)plan->first_piece[place];
    double left = sqrt(low), right = sqrt(high), half = 0.5 * (right - left);
    for (size_t n = 0; n < NODES; n++) {
        double tau = 0.5 * (left + right) + half * GAUSS_X[n], T = tau * tau;
        p->recoil[n] = T;
        p->energy[n] = massless_energy(tau, M) * (1.0 + m2 / (2.0 * M * T));
        p->factor[n] = 1.0 / (T * T);
        piece = piece_of(plan->feed_breaks, plan->feed_pieces, tau, piece);
        double begin = plan->feed_breaks[piece], end = plan->feed_breaks[piece + 1];
        double u = (2.0 * tau - begin - end) / (end - begin), scale = GAUSS_W[n] * half * 2.0 * tau;
        const double *c = plan->feed_coefficients + piece * (plan->feed_degree + 1) * plan->feed_outputs
                          + plan->first_feed[place];
        for (size_t b = 0; b < bins; b++) {
            double value = c[b];
            for (size_t d = 1; d <= plan->feed_degree; d++)
                value = value * u + c[d * plan->feed_outputs + b];
            weight[n * row + b] = scale * value;
        }
        for (size_t b = bins; b < row; b++)
            weight[n * row + b] = 0.0;
    }
    p->weight = weight;
}

/* Where the nodes of a panel are among the pieces of the flux; gives back the piece of the last.
 *
 * Where pieces join smoothly, no panel is cut: its nodes may lie in different ones. */
static INLINE size_t locate(const rates_flux *flux, const panel *p, size_t piece, position *at)
{
    for (size_t n = 0; n < NODES; n++) {
        double E = p->energy[n];
        piece = piece_of(flux->breaks, flux->pieces, E, piece);
        double t = (flux->breaks[piece + 1] - E) * flux->inverse_width[piece];
        at->row[n] = flux->coefficients + ROW * flux->groups * piece;
        at->t[n] = t < 1.0 ? t : 1.0; /* no neutrinos below the lowest energy */
    }
    return piece;
}

/* Where the coefficients of a lane are, in those of a piece. */
static INLINE size_t lane(size_t g)
{
    return g / GROUP * ROW + ((int)LANES < (int)GROUP ? g % GROUP : 0);
}

/* A vector of coefficients. */
static INLINE const vector *coefficients(const double *row, int d)
{
    return (const vector *)(row + d * GROUP);
}

/* A group of flux moments, times a factor. */
static INLINE void moments(const double *row, double t, int has_high_powers, double factor, vector *found)
{
    double u = 2.0 * t - 1.0;
    vector value = *coefficients(row, 0);
    for (int d = 1; d < HALF; d++)
        value = value * u + *coefficients(row, d);
    if (has_high_powers) { /* two chains of multiplications, side by side */
        vector high = *coefficients(row, HALF);
        for (int d = HALF + 1; d < 2 * HALF; d++)
            high = high * u + *coefficients(row, d);
        value += u * u * u * (u * u * u) * high;
    }
    *found = (*coefficients(row, 2 * HALF) + t * value) * factor;
}

/* A panel that feeds one bin: weigh factor x T^j x flux moment, and add them to the sums. */
static INLINE void add_to_one(const rates_flux *flux, const rates_terms *terms, const panel *p, const position *at,
                              double *products, size_t row, double *sums)
{
    size_t lanes = flux->groups * GROUP;
    for (size_t g = 0; g < lanes; g += LANES) {
        vector total[T_POWERS];
        memset(total, 0, sizeof total);
        for (size_t n = 0; n < NODES; n++) {
            vector value;
            moments(at->row[n] + lane(g), at->t[n], flux->has_high_powers, p->weight[n] * p->factor[n], &value);
            for (size_t j = 0; j < T_POWERS; j++) {
                total[j] += value;
                value *= p->recoil[n];
            }
        }
        for (size_t j = 0; j < T_POWERS; j++)
            *(vector *)(products + j * lanes + g) = total[j];
    }
    for (size_t c = 0; c < terms->cells; c++)
        sums[c * row] += products[(size_t)terms->cell_power[c] * lanes + (size_t)terms->cell_lane[c]];
}

/* The same for a panel that feeds several, `width` of them when padded. */
static INLINE void add_to_several(const rates_flux *flux, const rates_terms *terms, const panel *p, const position *at,
                                  size_t width, double *products, size_t row, double *sums)
{
    size_t lanes = flux->groups * GROUP, node = T_POWERS * lanes;
    for (size_t n = 0; n < NODES; n++) {
        for (size_t g = 0; g < lanes; g += LANES) {
            vector value;
            moments(at->row[n] + lane(g), at->t[n], flux->has_high_powers, p->factor[n], &value);
            for (size_t j = 0; j < T_POWERS; j++) {
                *(vector *)(products + n * node + j * lanes + g) = value;
                value *= p->recoil[n];
            }
        }
    }
    for (size_t c = 0; c < terms->cells; c++) {
        const double *x = products + (size_t)terms->cell_power[c] * lanes + (size_t)terms->cell_lane[c];
        double x0 = x[0], x1 = x[node], x2 = x[2 * node], x3 = x[3 * node], x4 = x[4 * node], x5 = x[5 * node];
        for (size_t b = 0; b < width; b += LANES) {
            const double *w = p->weight + b;
            vector total = x0 * *(const vector *)w + x1 * *(const vector *)(w + width);
            total += x2 * *(const vector *)(w + 2 * width) + x3 * *(const vector *)(w + 3 * width);
            total += x4 * *(const vector *)(w + 4 * width) + x5 * *(const vector *)(w + 5 * width);
            *(vector *)(sums + c * row + b) += total;
        }
    }
}

/* A walk over the panels of a target for one mass, which are cut where a kink of the flux has an image. */
typedef struct {
    double M, m2, range[2]; /* recoils that the fastest neutrinos make */
    double pole;            /* the first panel from T = 0 ends here if a propagator varies below it; 0 if none does */
    const double *images;
    size_t n_images, next;
    size_t place, end;
    double left, until; /* `until`: where a panel that is split ends, behind its first part; 0 before and after */
} walk;

/* Before the first panel; 0 if no neutrino has the energy. */
static INLINE int begin_walk(const rates_flux *flux, const rates_plan *plan, size_t target, double m, double mediator2,
                             double *images, walk *w)
{
    double M = plan->mass[target];
    w->M = M;
    w->m2 = m * m;
    w->pole = mediator2 / (512.0 * M); /* well below the propagator's, m^2/2M */
    w->place = (size_t)plan->first_panel[target];
    w->end = (size_t)plan->first_panel[target + 1];
    w->next = 0;
    recoil_limits(flux->breaks[flux->pieces], m, M, w->range);
    if (w->range[1] == 0.0)
        return 0;
    w->n_images = find_images(flux->kinks, flux->n_kinks, m, M, plan->low[w->place], images);
    w->images = images;
    w->left = plan->low[w->place];
    w->until = 0.0;
    return 1;
}

/* The next panel that has neutrinos, and whose of the plan it is part of; 0 if there are no more. */
static INLINE int next_panel(const rates_plan *plan, walk *w, double *weight, panel *p, size_t *part_of)
{
    int found = 0;
    while (!found && w->place < w->end) {
        size_t place = w->place;
        while (w->next < w->n_images && w->images[w->next] <= w->left)
            w->next++;
        double right = plan->high[place];
        if (w->next < w->n_images && w->images[w->next] < right)
            right = w->images[w->next];
        if (w->left == 0.0 && w->pole > 0.0 && w->pole < right)
            right = w->pole;
        if (w->range[0] <= w->left && right <= w->range[1]) {
            int whole = w->left == plan->low[place] && right == plan->high[place];
            if (!whole && w->left > 0.0 && plan->growth * w->left < right)
                right = plan->growth * w->left;
            if (plan->split > 0.0) {
                whole = 0;
                right = w->until > 0.0 ? w->until : right;
                w->until = w->until > 0.0 ? 0.0 : right;
                if (w->until > 0.0)
                    right = w->left + plan->split * (right - w->left);
            }
            if (whole)
                known_panel(plan, place, w->m2, w->M, p);
            else
                new_panel(plan, place, w->m2, w->M, w->left, right, weight, p);
            *part_of = place;
            found = 1;
        }
        w->left = right;
        if (w->left == plan->high[place])
            w->place++;
    }
    return found;
}

/* All panels of a target for one mass, into the sums of all cells; 0 if no neutrino has the energy. */
static INLINE int integrate(const rates_flux *flux, const rates_plan *plan, const rates_terms *terms, size_t target,
                            double m, double mediator2, size_t bins, const scratch *s)
{
    size_t row = padded(bins), piece = flux->pieces - 1, place = 0;
    walk w;
    if (!begin_walk(flux, plan, target, m, terms->propagator_power > 0 ? mediator2 : 0.0, s->images, &w))
        return 0;
    memset(s->sums, 0, terms->cells * row * sizeof(double));
    panel p;
    while (next_panel(plan, &w, s->weight, &p, &place)) {
        for (int k = 0; k < terms->propagator_power; k++)
            for (size_t n = 0; n < NODES; n++)
                p.factor[n] /= 2.0 * w.M * p.recoil[n] + mediator2;
        position at;
        piece = locate(flux, &p, piece, &at);
        size_t fed = (size_t)plan->bin_count[place];
        double *sums = s->sums + plan->first_bin[place];
        if (fed == 1)
            add_to_one(flux, terms, &p, &at, s->products, row, sums);
        else
            add_to_several(flux, terms, &p, &at, padded(fed), s->products, row, sums);
    }
    return 1;
}

/* Sums of cells, times their coefficients, into rows. */
static INLINE void contract(const rates_terms *terms, size_t target, size_t mass, double m, size_t row,
                            const scratch *s)
{
    double powers[MASS_POWERS] = {1.0};
    for (int k = 1; k < MASS_POWERS; k++)
        powers[k] = m * powers[k - 1];
    size_t place = target * terms->coefficient_rows + (mass < terms->coefficient_rows ? mass : 0);
    const double *coefficient = terms->coefficient + place * terms->entries;
    for (size_t p = 0; p < terms->pairs; p++) {
        double value = 0.0;
        for (int64_t e = terms->first_entry[p]; e < terms->first_entry[p + 1]; e++)
            value += coefficient[e] * powers[terms->mass_power[e]];
        const double *from = s->sums + (size_t)terms->pair_cell[p] * row;
        double *to = s->result + (size_t)terms->pair_row[p] * row;
        for (size_t b = 0; b < row; b += LANES)
            *(vector *)(to + b) += value * *(const vector *)(from + b);
    }
}

typedef struct {
    const rates_flux *flux;
    const rates_plan *plan;
    const rates_terms *terms;
    const double *final_mass, *mediator_mass;
    size_t start, stop, rows, bins;
    double *out;
    scratch scratch;
} task;

static INLINE void run(const task *t)
{
    size_t row = padded(t->bins);
    for (size_t i = t->start; i < t->stop; i++) {
        double m = t->final_mass[i], mediator2 = t->mediator_mass[i] * t->mediator_mass[i];
        memset(t->scratch.result, 0, t->rows * row * sizeof(double));
        for (size_t target = 0; target < t->plan->targets; target++) {
            if (integrate(t->flux, t->plan, t->terms, target, m, mediator2, t->bins, &t->scratch))
                contract(t->terms, target, i, m, row, &t->scratch);
        }
        for (size_t r = 0; r < t->rows; r++)
            for (size_t b = 0; b < t->bins; b++)
                t->out[(i * t->rows + r) * t->bins + b] += t->scratch.result[r * row + b];
    }
}

static void run_anywhere(const task *t)
{
    run(t);
}

#if defined(HAS_RECENT)
RECENT static void run_recent(const task *t)
{
    run(t);
}
#else
#define recent_machine() 0
#define run_recent run_anywhere
#endif

/* The next part of a block of memory, at a cache line. */
static double *part(double **block, size_t n)
{
    double *found = *block;
    *block += (n + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return found;
}

int rates_templates(const rates_flux *flux, const rates_plan *plan, const rates_terms *terms, const double *final_mass,
                    const double *mediator_mass, size_t start, size_t stop, size_t rows, size_t bins, double *out)
{
    size_t row = padded(bins), products = NODES * T_POWERS * flux->groups * GROUP;
    size_t size = products + NODES * row + (terms->cells + rows) * row + 2 * flux->n_kinks + 6 * ALIGNMENT;
    double *memory = malloc(size * sizeof(double));
    if (!memory)
        return 0;
    uintptr_t line = ALIGNMENT * sizeof(double), past = (uintptr_t)memory % line;
    double *block = memory + (past ? (line - past) / sizeof(double) : 0);
    task t = {flux, plan, terms, final_mass, mediator_mass, start, stop, rows, bins, out, {0}};
    t.scratch.products = part(&block, products);
    t.scratch.weight = part(&block, NODES * row);
    t.scratch.sums = part(&block, terms->cells * row);
    t.scratch.result = part(&block, rows * row);
    t.scratch.images = part(&block, 2 * flux->n_kinks);
    (recent_machine() ? run_recent : run_anywhere)(&t);
    free(memory);
    return 1;
}

int64_t rates_nodes(const rates_flux *flux, const rates_plan *plan, size_t target, double final_mass,
                    double mediator_mass, int64_t *first_bin, double *recoil, double *energy, double *weight)
{
    size_t place = (size_t)plan->first_panel[target], bins = (size_t)plan->bin_count[place], row = weight_row(bins);
    double *memory = malloc((2 * flux->n_kinks + NODES * row) * sizeof(double));
    if (!memory)
        return -1;
    int64_t nodes = 0;
    walk w;
    panel p;
    if (begin_walk(flux, plan, target, final_mass, mediator_mass * mediator_mass, memory, &w)) {
        while (next_panel(plan, &w, memory + 2 * flux->n_kinks, &p, &place)) {
            for (size_t n = 0; recoil && n < NODES; n++) {
                size_t k = (size_t)nodes + n;
                first_bin[k] = plan->first_bin[place];
                recoil[k] = p.recoil[n];
                energy[k] = p.energy[n];
                memcpy(weight + k * bins, p.weight + n * row, bins * sizeof(double));
            }
            nodes += NODES;
        }
    }
    free(memory);
    return nodes;
}

void rates_recoil_limits(double energy, double m, double M, double limits[2])
{
    recoil_limits(energy, m, M, limits);
}

double rates_massless_energy(double tau, double M)
{
    return massless_energy(tau, M);
}

size_t rates_images(const double *kinks, size_t n_kinks, double m, double M, double least, double *images)
{
    return find_images(kinks, n_kinks, m, M, least, images);
}
