/* What the files of the likelihood share, and nobody else: its numbers, everything known at one theta, and the small
 * loops that each of them inlines. The interface is cevns_fast.h. */
#ifndef CEVNS_FAST_LIKELIHOOD_TYPES_H
#define CEVNS_FAST_LIKELIHOOD_TYPES_H
#include "cevns_fast.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
/* declarations */

/* How a block of numbers begins, and the room for the name of a parameter in it, with its end. */
enum { MAGIC = 20201127, CURVED_MAGIC = 20261128, NAME_SIZE = 64 };

enum statistic { FIXED_VARIANCE, PREDICTED_VARIANCE, POISSON };

/* Of likelihoods with curves: what a term's coefficient is, what a factor is, and how many numbers describe one. */
enum term_kind { STRAIGHT, BENT };
enum factor_kind { EXPONENTIAL, INTERPOLATED };
enum { TERM_HEAD = 3, FACTOR_HEAD = 5, FACTOR_TERMS = 6, FACTOR_SIZE = 11 };

/* end of declarations */
enum { ON_STACK = 4096, MOST_PLAIN = 64 };
#define NONE ((size_t)-1)

#if defined(__GNUC__)
#define INTERNAL __attribute__((visibility("hidden"))) /* in a shared library */
#else
#define INTERNAL
#endif

typedef struct {
    enum statistic statistic;
    size_t first_bin, bins, pieces, degree, tables;
    double shape_variance;    /* of PREDICTED_VARIANCE, BRX Eq. (30) */
    double off_on_ratio;      /* of POISSON: exposure off over exposure on; infinite if the background is known */
    double factor;            /* of the signal */
    const double *data;       /* [bins] counts: on counts for POISSON, else what is left of backgrounds */
    const double *weight;     /* [bins] 1/variance; floor of the variance; off counts */
    const double *background; /* [bins] of PREDICTED_VARIANCE: shares the shape uncertainty */
    const double *base;       /* [bins] expectation beside signal */
    const double *scale;      /* [nuisances] */
    const double *shift;      /* [nuisances][bins] */
    const double *morph;      /* [nuisances] which table moves the shape, 0 for none */
    const double *breaks;     /* [pieces + 1] of x */
    const double *coefficients; /* [pieces][degree + 1][tables][monomials][bins], highest power first */
    size_t groups, terms, factors; /* of curves: backgrounds apart, what samples hold, what multiplies them */
    const double *term;      /* [terms][TERM_HEAD + bins]: group (0 is the signal), nuisance or -1, kind, counts */
    const double *factor_of; /* [factors][FACTOR_SIZE]: group, nuisance, kind, ln up, ln down, a_1 ... a_6 */
    size_t acting;           /* how many nuisances act on it */
    const size_t *active;    /* [acting] which, in order */
    int curved;              /* whether mu is not linear in all of them */
} experiment;

struct cevns_fast_likelihood {
    double *block;
    size_t length;  /* of the block */
    size_t offered; /* experiments in the block, of which some may have been left out */
    char *names;
    experiment *experiment;
    size_t parameters, couplings, monomials, nuisances, profiled, experiments, bins, workspace;
    size_t outputs; /* of all experiments' tables */
    int poisson; /* whether any experiment counts Poisson events */
    int mixed;   /* whether `mix` is not the unit matrix */
    int plain;   /* whether the loops over points of likelihood_batch.c serve it */
    int curved;  /* whether an experiment is curved, or a nuisance is free */
    int bends;   /* whether an experiment is curved */
    size_t *active;       /* owns what experiments have of that name */
    size_t *indices;      /* owns what follows; NONE stands for "not there" */
    size_t *coupling_at;  /* [couplings] where each is in theta */
    size_t x_at;          /* where x is in theta */
    size_t *first_factor; /* [monomials + 1] among the factors z^p of the monomials: */
    size_t *factor;       /* which coupling */
    size_t *power;        /* p >= 1 */
    size_t *nuisance_at;  /* [nuisances] where each is in theta, if it is not profiled */
    const double *lower, *upper; /* [parameters] */
    const double *centre;        /* [nuisances] */
    const double *offset;        /* [nuisances] c where a = 0 */
    const double *mix;           /* [nuisances][nuisances] a = mix (c - offset) */
    double *prior;               /* [nuisances][nuisances] mix^T strength mix */
    double *strength;            /* [nuisances] of the penalty: 1/width^2, or 0 for a nuisance that is free */
};

/* Everything known at one theta; arrays of all bins run over the experiments. */
typedef struct {
    double *monomial;         /* [monomials] */
    double *table[3];         /* [outputs]: table and its derivatives in x */
    double *signal;           /* [bins] N */
    double *response;         /* [nuisances][bins] P_k of the nuisances that act there; for derivatives 0 elsewhere */
    double *fixed;            /* [bins] mu without profiled nuisances */
    double *mu;               /* [bins] */
    double *before;           /* [bins] mu before a step */
    double *weight;           /* [bins] half the curvature of the loss in mu */
    double *slope;            /* [bins] of the loss in mu, at fixed N */
    double *slope_n;          /* [bins] of the loss in N, at fixed mu */
    double *pull;             /* [nuisances] a_k */
    double *excess;           /* [nuisances] a_k - centre_k */
    double *solved;           /* [nuisances] c_k */
    double *step;             /* [nuisances] of c_k, 0 if it is not profiled */
    double *gram;             /* [nuisances][nuisances] */
    double *value, *bent;     /* of curves: [nuisances] c_k; [3][nuisances] */
    double *part;             /* [nuisances][bins] what c_k adds to the signal */
    double *content;          /* [bins] of one group */
    double *curve;            /* [nuisances][nuisances] sum_b slope d^2 mu / (dc_k dc_j) */
    double *lift;             /* [experiments][1 + nuisances] the signal's factor, derivatives of its logarithm */
    double *rest;             /* for derivatives */
    double x;
    int warm;                 /* whether `solved` holds a neighbour's minimum, to begin with */
} point;

/* likelihood.c: how many numbers an evaluation works with, which may be too many to be an index, and the place of each
 * among them. */
INTERNAL double cevns_fast_work_of(const cevns_fast_likelihood *l);
INTERNAL void cevns_fast_place(const cevns_fast_likelihood *l, double *work, point *at);

/* likelihood_counts.c: coefficients of all monomials at x, with `order` derivatives; signal and morphs at theta; of a
 * signal P_k, and mu without the profiled nuisances; responses where a nuisance does not act, which nothing but
 * derivatives reads. mu, and the penalty of all nuisances at solved + t step. All of it where the nuisances are in
 * `solved`, all of them profiled. */
INTERNAL void cevns_fast_tables_at(const cevns_fast_likelihood *l, double x, int order, point *at);
INTERNAL void cevns_fast_signal(const cevns_fast_likelihood *l, const double *theta, int order, point *at);
INTERNAL void cevns_fast_respond(const cevns_fast_likelihood *l, const double *theta, int all_profiled, point *at);
INTERNAL void cevns_fast_clear_others(const cevns_fast_likelihood *l, const point *at);
INTERNAL double cevns_fast_expect(const cevns_fast_likelihood *l, double t, int all_profiled, const point *at);
INTERNAL void cevns_fast_predict(const cevns_fast_likelihood *l, const double *theta, point *at);

/* likelihood_statistic.c: 1/variance of all bins that are not Poisson; whether all variances are positive. The sum of the
 * losses of all bins at mu, with their slopes and weights, infinite where one is not defined; slopes and weights alone,
 * and whether the loss is finite. Poisson counts below `least` are taken for that many. Whether losses may have kinks:
 * a background is profiled bin by bin, and a count is less than one. Weights of Poisson counts for a first guess, and the
 * slopes that Gaussian counts of these weights would have. */
INTERNAL int cevns_fast_weigh(const cevns_fast_likelihood *l, const point *at);
INTERNAL double cevns_fast_losses(const cevns_fast_likelihood *l, double least, const point *at);
INTERNAL int cevns_fast_slopes(const cevns_fast_likelihood *l, double least, const point *at);
INTERNAL int cevns_fast_kinked(const cevns_fast_likelihood *l);
INTERNAL void cevns_fast_guess_weights(const cevns_fast_likelihood *l, const point *at);
INTERNAL void cevns_fast_guess_slopes(const cevns_fast_likelihood *l, const point *at);

/* likelihood_profile.c: chi2 at theta, with everything that derivatives are made of; chi2 where responses are known.
 * Half the slope of the penalty in c_k. */
INTERNAL double cevns_fast_evaluate(const cevns_fast_likelihood *l, const double *theta, size_t n, int order,
                                   point *at);
INTERNAL double cevns_fast_profile(const cevns_fast_likelihood *l, int all_profiled, const point *at);
INTERNAL double cevns_fast_tension(const cevns_fast_likelihood *l, size_t k, const point *at);

/* likelihood_solve.c: the solution x of gram x = x; and whether gram is positive definite. */
INTERNAL int cevns_fast_solve(size_t n, double *restrict gram, double *restrict x);

/* likelihood_curves.c: mu and responses of a curved experiment at `value`; and what bends mu there, in the direction of
 * the slopes. */
INTERNAL void cevns_fast_curve(const cevns_fast_likelihood *l, size_t i, const point *at);
INTERNAL void cevns_fast_bend(const cevns_fast_likelihood *l, const point *at);

/* likelihood_derivatives.c: of chi2 where it was evaluated. */
INTERNAL void cevns_fast_differentiate(const cevns_fast_likelihood *l, const double *theta, const point *at,
                                      double *gradient);
INTERNAL void cevns_fast_differentiate_twice(const cevns_fast_likelihood *l, const double *theta, const point *at,
                                            double *hessian);

/* likelihood_minimise.c: the downhill step of (H + damping |diag H|) for the free parameters, 0 if that is not positive
 * definite; and chi2 beside a maximum or saddle, infinite if it is none. */
INTERNAL int cevns_fast_damped_step(size_t n, const int *is_free, const double *gradient, const double *hessian,
                                    double damping, double *matrix, double *step);
INTERNAL double cevns_fast_beside(const cevns_fast_likelihood *l, const double *theta, size_t n, const int *is_free,
                                  const double *hessian, double value, double *trial);

/* likelihood_batch.c: whether it has a short cut for many points. */
INTERNAL int cevns_fast_is_plain(const cevns_fast_likelihood *l);

/* d^order z^p / dz^order */
static inline double power_of(double z, int p, int order)
{
    double value = 1;
    for (; order > 0; order--)
        value *= p--;
    for (; p > 0; p--)
        value *= z;
    return value;
}

/* All monomials. */
static inline void monomials(const cevns_fast_likelihood *l, const double *theta, double *restrict out)
{
    for (size_t m = 0, i = 0; m < l->monomials; m++) {
        out[m] = 1;
        for (; i < l->first_factor[m + 1]; i++) {
            double z = theta[l->coupling_at[l->factor[i]]];
            out[m] *= l->power[i] == 1 ? z : l->power[i] == 2 ? z * z : power_of(z, (int)l->power[i], 0);
        }
    }
}

/* Four sums at a time, which need not wait for each other. */
static inline double dot(size_t n, const double *restrict a, const double *restrict b)
{
    double sum[4] = {0, 0, 0, 0};
    size_t i = 0;
    for (; i + 4 <= n; i += 4)
        for (size_t j = 0; j < 4; j++)
            sum[j] += a[i + j] * b[i + j];
    for (; i < n; i++)
        sum[0] += a[i] * b[i];
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

/* out[b] = sum_m weight_m table[m][b] */
static inline void combine(size_t monomials, size_t bins, const double *restrict weight,
                           const double *restrict table, double *restrict out)
{
    memset(out, 0, bins * sizeof(double));
    for (size_t m = 0; m < monomials; m++)
        for (size_t b = 0; b < bins; b++)
            out[b] += weight[m] * table[m * bins + b];
}

/* Whether nuisance k is minimised over, and not a parameter. */
static inline int is_profiled(const cevns_fast_likelihood *l, size_t k, int all_profiled)
{
    return all_profiled || l->nuisance_at[k] == NONE;
}

/* Whether theta has the right length and is within the bounds. */
static inline int is_inside(const cevns_fast_likelihood *l, const double *theta, size_t n)
{
    if (n != l->parameters)
        return 0;
    for (size_t i = 0; i < n; i++)
        if (!(theta[i] >= l->lower[i] && theta[i] <= l->upper[i] && isfinite(theta[i])))
            return 0;
    return 1;
}

/* Room for one evaluation: the caller's, if it is large enough. */
static inline double *room(const cevns_fast_likelihood *l, double *own)
{
    return l->workspace <= ON_STACK ? own : malloc(l->workspace * sizeof(double));
}

static inline void leave(double *work, const double *own)
{
    if (work != own)
        free(work);
}

static inline void fill_nan(double *out, size_t n)
{
    for (size_t i = 0; out && i < n; i++)
        out[i] = NAN;
}

#endif
