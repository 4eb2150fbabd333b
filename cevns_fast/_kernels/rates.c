/* The rate kernel: see rates.h.
 *
 * The integration variable is tau = sqrt(T), in which E_min, the flux moments and form factors are analytic down to
 * T = 0. Where the nodes are is the business of rates_panels.h; here is what is summed over them. */
#include "rates.h"

#include "machine.h"
#include "rates_panels.h"

#include <stdlib.h>
#include <string.h>

#define T_POWERS RATES_T_POWERS
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
