/* Event rates: integral over dT of R(T) F^2(T) P(T) T^j mu_k(E_min(T)) for every bin, times tables of coefficients.
 * Numbers are in MeV. */
#ifndef CEVNS_FAST_RATES_H
#define CEVNS_FAST_RATES_H
#include <stddef.h>
#include <stdint.h>
/* declarations */

enum {
    RATES_NODES = 6, /* Gauss-Legendre nodes of a panel */
    RATES_T_POWERS = 5,
    RATES_LOWEST_T_POWER = -2,
    RATES_GROUP = 4, /* flux moments come in groups of lanes, and bins are padded to a multiple of it: a vector */
    RATES_HALF = 6,  /* a moment on a piece has twice as many coefficients, in two chains, and a value */
    RATES_ROW = (2 * RATES_HALF + 1) * RATES_GROUP
};

/* Moments of the flux above an energy, a lane for each power of E and parity; pieces join where breaks are. */
typedef struct {
    const double *breaks;        /* [pieces + 1]; the last is the end point */
    const double *kinks;         /* [n_kinks], increasing: those of the breaks at which a moment is not smooth */
    const double *inverse_width; /* [pieces] */
    const double *coefficients;  /* [pieces][groups][ROW]: u^5 ... 1, u^11 ... u^6, then the value, for each lane */
    size_t pieces, n_kinks, groups;
    int has_high_powers; /* whether there are any above u^5 */
} rates_flux;

/* Where to integrate, for each target: a nuclide and a product of form factors. The variable is tau = sqrt(T). */
typedef struct {
    const double *mass;             /* [targets] */
    const int64_t *first_panel;     /* [targets + 1] */
    const double *low, *high;       /* [panels], of T */
    const int64_t *first_bin;       /* [panels]: the bins that a panel feeds ... */
    const int64_t *bin_count;       /* ... one, all of them, or as many that padding adds none */
    const double *recoil;           /* [panels][NODES]: T */
    const double *massless_energy;  /* [panels][NODES]: E_min for a massless final state */
    const double *mass_factor;      /* [panels][NODES], 1/(2MT): E_min = massless_energy (1 + m^2 mass_factor) */
    const double *weight;           /* quadrature weight x dT/dtau x form factors x bin response ... */
    const int64_t *first_weight;    /* [panels]: ... from here on, [NODES][bins, padded, or just one] */
    const int64_t *first_piece;     /* [panels]: where a panel begins among the pieces of feed_breaks */
    const int64_t *first_feed;      /* [panels]: where it begins among the outputs */
    const double *feed_breaks;      /* [feed_pieces + 1]: form factors x bin responses, polynomials in tau */
    const double *feed_coefficients; /* [feed_pieces][feed_degree + 1][feed_outputs], highest power first */
    size_t targets, feed_pieces, feed_degree, feed_outputs;
    double growth; /* a part of a panel spans at most this factor in T, over more of which 1/T falls too steeply */
    double split;  /* > 0: each panel is taken in two parts, the first of which is this fraction: for error estimates */
} rates_plan;

/* What to integrate. A cell is T^j times a lane; a row of the result is a sum of cells. */
typedef struct {
    const int64_t *cell_power;  /* [cells]: j - LOWEST_T_POWER */
    const int64_t *cell_lane;   /* [cells] */
    const int64_t *pair_row;    /* [pairs]: a cell in a row has a coefficient ... */
    const int64_t *pair_cell;   /* [pairs] */
    const int64_t *first_entry; /* [pairs + 1]: ... which is a sum of entries, each times a power of the final mass */
    const int64_t *mass_power;  /* [entries], from 0 to 8 */
    const double *coefficient;  /* [targets][coefficient_rows][entries], a row for each mass or one for all */
    size_t cells, pairs, entries, coefficient_rows;
    int propagator_power;
} rates_terms;

/* Add to out[mass][row][bin] for masses start ... stop - 1 of all arrays; 0 if memory is short. */
int rates_templates(const rates_flux *flux, const rates_plan *plan, const rates_terms *terms, const double *final_mass,
                    const double *mediator_mass, size_t start, size_t stop, size_t rows, size_t bins, double *out);

/* Where the integral of one target and one mass is taken: the plan's panels, cut at kinematic images.
 *
 * Writes, for each node, the first of the bins that it feeds, T, E_min and the weight of each of the target's bin_count
 * bins (quadrature weight x form factors x response), unless recoil is NULL. Returns the number of nodes; -1 if memory
 * is short. The sum of templates is that over nodes of weight x T^j mu_k(E_min) P(T). */
int64_t rates_nodes(const rates_flux *flux, const rates_plan *plan, size_t target, double final_mass,
                    double mediator_mass, int64_t *first_bin, double *recoil, double *energy, double *weight);

/* What follows is for tests: the kinematics that the kernel uses inside.
 *
 * T_min and T_max, BRX Eq. (9) with T_min from the product of the roots; 0, 0 below threshold. */
void rates_recoil_limits(double energy, double m, double M, double limits[2]);

/* E_min at recoil tau^2 for a massless final state; with a mass, times 1 + m^2/(2MT). */
double rates_massless_energy(double tau, double M);

/* T_min and T_max, sorted, of every kink that may have an image above `least`; their number. */
size_t rates_images(const double *kinks, size_t n_kinks, double m, double M, double least, double *images);

/* end of declarations */
#endif
