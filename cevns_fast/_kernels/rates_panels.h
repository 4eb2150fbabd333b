/* Panels of a plan for one target and one mass: where they are cut, their nodes and weights. They do not depend on the mass
 * of the outgoing particle, except where a kinematic image of a kink of the flux falls inside a panel: only there is
 * anything but the flux moments evaluated anew. */
#ifndef CEVNS_FAST_RATES_PANELS_H
#define CEVNS_FAST_RATES_PANELS_H
#include "machine.h"
#include "rates.h"

#include <math.h>
#include <string.h>

#define NODES RATES_NODES
#define GROUP RATES_GROUP

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

#endif
