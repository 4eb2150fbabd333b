/* F_G of Chao, Li, Liao & Su 2021 (CLLS), Eqs. (A7)-(A13): the two-loop neutrino-gluon function. */
#ifndef CEVNS_FAST_FG_H
#define CEVNS_FAST_FG_H
#include <stddef.h>
/* declarations */

/* The sign of the third term of (A7): -4 m_q^4 as printed, +4 m_q^4 as the heavy-quark limit demands. */
enum fg_variant { FG_PUBLISHED = 0, FG_CORRECTED = 1 };

enum { FG_NODES = 865 }; /* nodes of the trapezoid rule, enough for mass ratios from 1e-30 to 1e30 */

/* Fill table[2 * FG_NODES] with nodes and weights: done once, then shared by any number of threads. */
void fg_tabulate(enum fg_variant variant, double *table);

/* out[i] = F_G(m_chi[i], m_zprime[i], m_q[i]) in MeV^-4 for masses in MeV; NaN where a mass is not positive
 * and finite or differs from m_q by more than a factor 1e30. */
void fg_evaluate(const double *table, const double *m_chi, const double *m_zprime, const double *m_q,
                 double *out, size_t n);

/* The same of one set of masses. */
double fg_value(const double *table, double m_chi, double m_zprime, double m_q);

/* end of declarations */
#endif
