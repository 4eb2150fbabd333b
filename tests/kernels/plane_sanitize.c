/* Drives plane.c under the address and undefined-behaviour sanitizers: .ci/run builds it, exit status 0 is a pass. */
#include <string.h>

#include "plane.h"
#include "sanitize.h"

/* Of data and terms y^2, x y, x^2, 1; another for each system. */
static void triangle_of(size_t systems, double *triangle)
{
    for (size_t s = 0; s < systems; s++, triangle += 25)
        for (int r = 0; r < 5; r++)
            for (int c = 0; c < 5; c++) /* below the diagonal nothing may be read */
                triangle[5 * r + c] = c < r ? NAN : (r == c ? 2.0 : 0.3 * (c - r)) + (double)s;
}

/* Straight from the definition, out of the triangle. */
static double expected(size_t systems, const double *triangle, const double *variance, double x, double y)
{
    const double monomial[] = {y * y, x * y, x * x, 1.0};
    double chi2 = 0;
    for (size_t s = 0; s < systems; s++, triangle += 25) {
        double dn = 0, nn = 0, residual = 0, n[5] = {0}, scale;
        for (int r = 0; r < 5; r++)
            for (int c = r > 1 ? r : 1; c < 5; c++)
                n[r] += triangle[5 * r + c] * monomial[c - 1];
        for (int r = 0; r < 5; r++)
            nn += n[r] * n[r];
        dn = triangle[0] * n[0];
        scale = variance[s] > 0 ? dn / nn : 1;
        for (int r = 0; r < 5; r++) {
            const double d = (r ? 0 : triangle[0]) - scale * n[r];
            residual += d * d;
        }
        chi2 += residual;
    }
    return chi2;
}

static void run(size_t systems, int profiled, size_t n, size_t columns, size_t shift)
{
    const int64_t power[] = {0, 2, 1, 1, 2, 0, 0, 0};
    double *triangle = array(25 * systems), *variance = array(systems), *outer = array(n), *y = array(columns);
    double *kept = array(shift + n * columns), *streamed = array(shift + n * columns);
    const struct plane p = {systems, 4, 2, triangle, variance, power};

    triangle_of(systems, triangle);
    for (size_t s = 0; s < systems; s++)
        variance[s] = profiled && s != 1 ? 0.1 : 0.0; /* of several, the second is not profiled */
    for (size_t i = 0; i < n; i++)
        outer[i] = 0.7 * (double)i - 2.0;
    for (size_t j = 0; j < columns; j++)
        y[j] = 0.01 * (double)j - 1.0;

    check(plane_fill(&p, outer, n, y, columns, kept + shift), "there is memory");
    check(plane_stream(&p, outer, n, y, columns, streamed + shift), "there is memory");
    check(!memcmp(kept + shift, streamed + shift, n * columns * sizeof *kept), "the same bits on either way");
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < columns; j++) {
            const double e = expected(systems, triangle, variance, outer[i], y[j]);
            if (i == n - 1 && j == columns - 1)
                show(kept[shift + i * columns + j]);
            check(fabs(kept[shift + i * columns + j] - e) <= 1e-12 * (1.0 + e), "as by the definition");
        }
    for (size_t i = 0; i < shift; i++)
        check(isnan(kept[i]) && isnan(streamed[i]), "nothing is written before the beginning");

    free(triangle), free(variance), free(outer), free(y), free(kept), free(streamed);
}

int main(void)
{
    const size_t columns[] = {1, 3, 15, 16, 33, 511, 513, 1030}, rows[] = {1, 2, 16, 17, 35};

    for (size_t systems = 1; systems <= 3; systems++)
        for (int profiled = 0; profiled <= 1; profiled++)
            for (size_t c = 0; c < sizeof columns / sizeof *columns; c++)
                for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
                    for (size_t shift = 0; shift < 9; shift += 1 + shift / 3)
                        run(systems, profiled, rows[r], columns[c], shift);

    /* No row and no column touch nothing. */
    const struct plane p = {1, 0, 1, &(double){2.0}, &(double){0.0}, NULL};
    double untouched = NAN, zero = 0.0;
    check(plane_fill(&p, NULL, 0, &zero, 1, &untouched) && isnan(untouched), "no row");
    check(plane_stream(&p, NULL, 1, &zero, 0, &untouched) && isnan(untouched), "no column");

    printf("plane_sanitize: %d failures\n", failures);
    return failures != 0;
}
