/* What the files of toys share, and nobody else: the plan of a truth, and its lattice. The interface is toys.h. */
#ifndef CEVNS_FAST_TOYS_PLAN_H
#define CEVNS_FAST_TOYS_PLAN_H
#include "toys.h"

#include "likelihood_types.h"

enum { FAR = 2, MASSES = 5 }; /* points of a ray beyond the last; values of x */

/* The lattice of the parameters that are not fixed: [slabs][directions][radii], and zero couplings in each slab. */
typedef struct {
    size_t slabs, directions, radii, points, nuisances; /* those that are not fixed */
    unsigned char *beside; /* [directions][directions] whether one is next to another */
    double *theta;  /* [points][parameters] */
    double *moved;  /* [points][bins] sqrt(w) (mu - mu at the truth) */
    double *weight; /* [points][bins] sqrt(w) */
    double *project; /* [points][nuisances][bins] U */
    double *constant; /* [points][nuisances] U moved */
    double *pulled; /* [points][nuisances][all nuisances] V */
} lattice;

/* As many rays as there may be of so many couplings; with two, as many as are wanted. */
static inline size_t toys_most_rays(size_t couplings, size_t wanted)
{
    size_t rays = 8 * (couplings * (couplings + 1) * (couplings + 2) / 6 + 3);
    return rays > wanted ? rays : wanted;
}

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

/* toys_throw.c: the data of a toy, into the plan; the sum of squares of hidden rows. */
INTERNAL double toys_throw(toy_plan *p, size_t number);

/* toys_screen.c: mu and responses to a_k at theta, with nuisances at the truth, and sqrt(w); what screens a toy at lattice
 * point g, relative to mu0[bins]; and chi2 that Gaussian counts have there, but for a constant. */
INTERNAL void toys_predict(toy_plan *p, const double *theta, double *weight);
INTERNAL void toys_prepare(toy_plan *p, lattice *grid, const int *fixed, size_t g, const double *mu0);
INTERNAL double toys_screen(const toy_plan *p, const lattice *grid, size_t g);

/* toys_lattice.c: points of a lattice, prepared; 0 if memory is short. */
INTERNAL int toys_build(toy_plan *p, lattice *grid, const int *fixed, const double *mu_truth);

/* toys_minimise.c: chi2 at the minimum downhill from theta, and at the lowest minimum over what is not fixed; theta
 * receives the place. */
INTERNAL double toys_polish(toy_plan *p, double *theta, const int *fixed);
INTERNAL double toys_lowest(toy_plan *p, const lattice *grid, const int *fixed, double *theta);

#endif
