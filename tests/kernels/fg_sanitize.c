/* Drives fg.c under the address and undefined-behaviour sanitizers: .ci/run builds it, exit status 0 is a pass. */
#include "fg.h"
#include "sanitize.h"

static double one(const double *table, double m_chi, double m_zprime, double m_q)
{
    double *m = array(3), *out = array(1), result;
    m[0] = m_chi, m[1] = m_zprime, m[2] = m_q;
    fg_evaluate(table, m, m + 1, m + 2, out, 1);
    result = out[0];
    free(m);
    free(out);
    return result;
}

int main(void)
{
    const double edges[] = {1.0000001e-30, 1e-15, 1e-3, 1.0, 2.0, 1e3, 1e15, 0.9999999e30};
    const double bad[] = {0.0, -1.0, NAN, INFINITY, -INFINITY, 1e300, 1e-300};
    const size_t n_edges = sizeof edges / sizeof *edges, n_bad = sizeof bad / sizeof *bad;

    for (int variant = FG_PUBLISHED; variant <= FG_CORRECTED; variant++) {
        double *table = array(2 * FG_NODES);
        fg_tabulate((enum fg_variant)variant, table);

        for (size_t i = 0; i < n_edges; i++)
            for (size_t j = 0; j < n_edges; j++) {
                const double value = one(table, edges[i], edges[j], 1.0);
                show(value);
                check(isfinite(value) && value < 0.0, "finite and negative out to the last table entry");
            }

        for (size_t i = 0; i < n_bad; i++) {
            check(isnan(one(table, bad[i], 1.0, 1.0)), "NaN for a bad m_chi");
            check(isnan(one(table, 1.0, bad[i], 1.0)), "NaN for a bad m_zprime");
            check(isnan(one(table, 1.0, 1.0, bad[i])), "NaN for a bad m_q");
        }
        check(isnan(one(table, -1.0, -1.0, -1.0)), "NaN for three negative masses, whose ratios are fine");

        fg_evaluate(table, NULL, NULL, NULL, NULL, 0); /* an empty batch touches nothing */

        /* Equal masses m far below m_q: m^2 m_q^2 F_G -> -1 (corrected, 8 D00b) or -3 (published). */
        const double heavy = one(table, 1.0, 1.0, 1e7) * 1e14, expected = variant == FG_CORRECTED ? -1.0 : -3.0;
        check(fabs(heavy / expected - 1.0) < 1e-10, "heavy-quark limit");
        free(table);
    }

    double *table = array(2 * FG_NODES);
    fg_tabulate((enum fg_variant)7, table);
    check(isnan(one(table, 1.0, 1.0, 1.0)), "NaN for an unknown variant");
    free(table);

    printf("fg_sanitize: %d failures\n", failures);
    return failures != 0;
}
