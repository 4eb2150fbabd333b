/* Where a system's minima in a plane of free couplings are, roughly. For profile.c alone.
 *
 * On lines across the plane, side by side, all extrema are roots of a fourth degree: those on which the lower of both
 * minima, or the higher, is lower than on the lines beside have the minima of the plane near. */
#ifndef CEVNS_FAST_PROFILE_PLANE_H
#define CEVNS_FAST_PROFILE_PLANE_H
#include "profile_line.h"

enum { SLICES = 16, FIRST_STEPS = 10, LAST_STEPS = 2 };
static const double NEARLY = 1e-5; /* of the root, that a step changes it by: the next would by the square */
static const double SLICE_AT[SLICES] = {-8, -3, -1.7, -1.1, -0.7, -0.4, -0.15, 0,
                                        0.15, 0.4, 0.7, 1.1, 1.7, 3, 8, 50}; /* in units of unit_of() */

enum { TURNS = 5 };
static const double TURN[TURNS][2] = {{1, 0}, {0.809, 0.588}, {0.309, 0.951}, {-0.309, 0.951}, {-0.809, 0.588}};

typedef double slices[SLICES];

/* What is along the data, and the square of what is across, as polynomials in t on each slice. */
typedef struct {
    double unit; /* of s */
    slices a[3], q[5];
} sliced_plane;

/* The plane z + s u + t v. */
static void slice(size_t k, const system_at *system, const double *z, const double *u, const double *v,
                         sliced_plane *out)
{
    enum { ONE, S, T, SS, ST, TT, ALL };
    const size_t m = monomials_of(k);
    double monomial[ALL][MOST_MONOMIALS], n[ALL][MOST_ROWS], a[ALL], g[ALL][ALL], h[3][MOST + 1];
    for (size_t i = 0; i < k; i++) {
        h[0][i] = z[i];
        h[1][i] = u[i];
        h[2][i] = v[i];
    }
    h[0][k] = 1;
    h[1][k] = h[2][k] = 0;
    for (size_t i = 0; i <= k; i++)
        for (size_t j = i; j <= k; j++) {
            const size_t at = place_of(k, i, j);
            monomial[ONE][at] = h[0][i] * h[0][j];
            monomial[S][at] = i == j ? 2 * h[0][i] * h[1][i] : h[0][i] * h[1][j] + h[1][i] * h[0][j];
            monomial[T][at] = i == j ? 2 * h[0][i] * h[2][i] : h[0][i] * h[2][j] + h[2][i] * h[0][j];
            monomial[SS][at] = h[1][i] * h[1][j];
            monomial[ST][at] = i == j ? 2 * h[1][i] * h[2][i] : h[1][i] * h[2][j] + h[2][i] * h[1][j];
            monomial[TT][at] = h[2][i] * h[2][j];
        }
    for (size_t i = 0; i < ALL; i++) {
        a[i] = sum_of(m, system->along, monomial[i]);
        combine(k, system->across, monomial[i], n[i]);
    }
    for (size_t i = 0; i < ALL; i++)
        for (size_t j = i; j < ALL; j++)
            g[i][j] = product(k, n[i], n[j]);
    const double near = a[ONE] * a[ONE] + g[ONE][ONE] + (system->scaled ? 0 : system->data * system->data);
    const double far = a[SS] * a[SS] + g[SS][SS], s1 = far > 0 && near > 0 ? sqrt(sqrt(near / far)) : 1, s2 = s1 * s1;
    out->unit = s1;
    for (size_t i = 0; i < SLICES; i++) {
        const double s = SLICE_AT[i];
        out->a[0][i] = (a[SS] * s2 * s + a[S] * s1) * s + a[ONE];
        out->a[1][i] = (a[ST] * s1 * s + a[T]);
        out->a[2][i] = a[TT];
        out->q[0][i] = (((g[SS][SS] * s2 * s + 2 * g[S][SS] * s1) * s2 * s + (g[S][S] + 2 * g[ONE][SS]) * s2) * s +
                        2 * g[ONE][S] * s1) * s + g[ONE][ONE];
        out->q[1][i] = 2 * (((g[SS][ST] * s1 * s + g[S][ST] + g[T][SS]) * s2 * s +
                                  (g[ONE][ST] + g[S][T]) * s1) * s + g[ONE][T]);
        out->q[2][i] = (((g[ST][ST] + 2 * g[SS][TT]) * s2 * s + 2 * (g[T][ST] + g[S][TT]) * s1) * s + g[T][T] +
                             2 * g[ONE][TT]);
        out->q[3][i] = 2 * (g[ST][TT] * s1 * s + g[T][TT]);
        out->q[4][i] = g[TT][TT];
    }
}

/* About where both minima of each slice are, lower and higher, and chi2 there, infinite if there is no second. Roots by
 * Ferrari's way, from the largest root of the resolvent, and improved by steps of Newton's. */
static void minima_of_slices(const system_at *system, const sliced_plane *p, slices t[2], slices value[2])
{
    for (size_t i = 0; i < SLICES; i++) {
        const int scaled = system->scaled;
        const double near = p->a[0][i] * p->a[0][i] + p->q[0][i] + (scaled ? 0 : system->data * system->data);
        const double far = p->a[2][i] * p->a[2][i] + p->q[4][i];
        const double unit = far > 0 && near > 0 ? sqrt(sqrt(near / far)) : 1, unit2 = unit * unit;
        const double a0 = p->a[0][i], a1 = p->a[1][i] * unit, a2 = p->a[2][i] * unit2, b0 = a0 - system->data;
        const double q0 = p->q[0][i], q1 = p->q[1][i] * unit, q2 = p->q[2][i] * unit2, q3 = p->q[3][i] * unit2 * unit;
        const double q4 = p->q[4][i] * unit2 * unit2;
        const double c0 = scaled ? q1 * a0 - 2 * q0 * a1 : 2 * b0 * a1 + q1;
        const double c1 = scaled ? 2 * q2 * a0 - q1 * a1 - 4 * q0 * a2 : 2 * (a1 * a1 + 2 * b0 * a2 + q2);
        const double c2 = scaled ? 3 * (q3 * a0 - q1 * a2) : 6 * a1 * a2 + 3 * q3;
        const double c3 = scaled ? 4 * q4 * a0 + q3 * a1 - 2 * q2 * a2 : 4 * (a2 * a2 + q4);
        const double c4 = scaled ? 2 * q4 * a1 - q3 * a2 : 0;
        /* On a circle, t = (C x + S) / (C - S x), turned to where infinity is far from any root. */
        double C = 1, S = 0, largest = fabs(c4);
        for (size_t j = 1; j < TURNS; j++) {
            const double x = TURN[j][0], y = -TURN[j][1];
            const double there = fabs((((c4 * x + c3 * y) * x + c2 * y * y) * x + c1 * y * y * y) * x + c0 * y * y * y * y);
            const int better = there > largest;
            C = better ? x : C;
            S = better ? -y : S;
            largest = better ? there : largest;
        }
        const double CC = C * C, SS = S * S, CS = C * S; /* powers of C - S x, and Horner's way */
        const double f1 = c4 * C - c3 * S, f0 = c4 * S + c3 * C;
        const double g2 = f1 * C + c2 * SS, g1 = f1 * S + f0 * C - 2 * c2 * CS, g0 = f0 * S + c2 * CC;
        const double h3 = g2 * C - c1 * S * SS, h2 = g2 * S + g1 * C + 3 * c1 * C * SS;
        const double h1 = g1 * S + g0 * C - 3 * c1 * CC * S, h0 = g0 * S + c1 * C * CC;
        const double k4 = h3 * C + c0 * SS * SS, k3 = h3 * S + h2 * C - 4 * c0 * CS * SS;
        const double k2 = h2 * S + h1 * C + 6 * c0 * CC * SS, k1 = h1 * S + h0 * C - 4 * c0 * CC * CS;
        const double k0 = h0 * S + c0 * CC * CC;
        const double lead = 1 / k4, b = k3 * lead, c = k2 * lead, d = k1 * lead, e = k0 * lead, quarter = 0.25 * b;
        /* y^4 + P y^2 + Q y + R, for x = y - b/4 */
        const double b2 = b * b, P = c - 0.375 * b2, Q = d - 0.5 * b * c + 0.125 * b2 * b;
        const double R = e - quarter * d + 0.0625 * b2 * c - 0.01171875 * b2 * b2;
        const double r1 = 0.25 * P * P - R, r0 = 0.125 * Q * Q; /* m^3 + P m^2 + r1 m - r0, Fujiwara's bound */
        const double x4 = sqrt(sqrt(r0)), x16 = sqrt(sqrt(x4)), x64 = sqrt(sqrt(x16)), root3 = 1.1 * x4 * x16 * x64;
        const double r2 = sqrt(fabs(r1)), P1 = fabs(P);
        double most = P1 > r2 ? P1 : r2;
        most = most > root3 ? most : root3;
        double x = 2 * most;
        for (int step = 0; step < FIRST_STEPS; step++) {
            const double f = ((x + P) * x + r1) * x - r0, slope = (3 * x + 2 * P) * x + r1;
            const double by = f * slope / (slope * slope + 1e-300);
            x -= by;
            if (by <= NEARLY * x)
                break;
        }
        x = x > 0 ? x : 0;
        const double w = sqrt(2 * x), middle = 0.5 * P + x, square = middle * middle - R;
        const double apart = copysign(sqrt(square > 0 ? square : 0), Q);
        const double inner = 0.5 * x - (middle - apart), outer = 0.5 * x - (middle + apart);
        const double root_in = sqrt(inner > 0 ? inner : 0), root_out = sqrt(outer > 0 ? outer : 0);
        const double y[4] = {0.5 * w + root_out - quarter, 0.5 * w - root_out - quarter,
                             root_in - 0.5 * w - quarter, -root_in - 0.5 * w - quarter};
        double low = INFINITY, high = INFINITY, t_low = 0, t_high = 0;
        for (size_t j = 0; j < 4; j++) {
            double turned = y[j];
            for (int step = 0; step < LAST_STEPS; step++) {
                const double f = (((turned + b) * turned + c) * turned + d) * turned + e;
                const double slope = ((4 * turned + 3 * b) * turned + 2 * c) * turned + d;
                turned -= f * slope / (slope * slope + 1e-300);
            }
            const double at = (C * turned + S) / (C - S * turned);
            const double n = (a2 * at + a1) * at + a0, across = (((q4 * at + q3) * at + q2) * at + q1) * at + q0;
            const double here = scaled ? across / (n * n + across) : (n - system->data) * (n - system->data) + across;
            const double slope = ((4 * c4 * at + 3 * c3) * at + 2 * c2) * at + c1;
            const int lower = here < low, minimum = (scaled ? n * slope : slope) > 0;
            const double other = lower ? low : here, t_other = lower ? t_low : at;
            const int second = (lower || minimum) && other < high;
            high = second ? other : high;
            t_high = second ? t_other : t_high;
            low = lower ? here : low;
            t_low = lower ? at : t_low;
        }
        t[0][i] = t_low * unit;
        t[1][i] = t_high * unit;
        value[0][i] = low;
        value[1][i] = high;
    }
}

#endif
