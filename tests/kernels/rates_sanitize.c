/* Drives rates.c under the address and undefined-behaviour sanitizers: .ci/run builds it, exit status 0 is a pass. */
#include "rates.h"
#include "sanitize.h"

enum { PIECES = 3, PANELS = 4, TARGETS = 2, CELLS = 3, PAIRS = 4, ENTRIES = 5, ROWS = 2, MASSES = 9, DEGREE = 2 };

static double *doubles(size_t n, double first, double step)
{
    double *p = array(n);
    for (size_t i = 0; i < n; i++)
        p[i] = first + (double)i * step;
    return p;
}

static int64_t *integers(size_t n, int64_t first, int64_t step)
{
    int64_t *p = memory(n, sizeof *p);
    for (size_t i = 0; i < n; i++)
        p[i] = first + (int64_t)i * step;
    return p;
}

/* A flux of three pieces whose middle break is smooth, in one to three groups of lanes. */
static void one_case(size_t groups, size_t bins, int sharp, double lowest, int propagator_power, int high)
{
    const size_t row = (bins + RATES_GROUP - 1) / RATES_GROUP * RATES_GROUP, weights = sharp ? 1 : row;
    const size_t nodes = TARGETS * PANELS * RATES_NODES, fed = sharp ? 1 : bins;

    double *breaks = doubles(PIECES + 1, 10.0, 15.0), *kinks = doubles(3, 10.0, 15.0);
    kinks[2] = breaks[PIECES];
    double *inverse_width = doubles(PIECES, 1.0 / 15.0, 0.0);
    double *moments = doubles(PIECES * groups * RATES_ROW, 1.0, 0.01);
    const rates_flux flux = {breaks, kinks, inverse_width, moments, PIECES, 3, groups, high};

    double *mass = doubles(TARGETS, 1e5, 1e4), *low = doubles(TARGETS * PANELS, 0.0, 0.0);
    double *up = doubles(TARGETS * PANELS, 0.0, 0.0), *recoil = doubles(nodes, 0.0, 0.0);
    double *energy = doubles(nodes, 0.0, 0.0), *factor = doubles(nodes, 0.0, 0.0);
    int64_t *first_bin = integers(TARGETS * PANELS, 0, 0), *count = integers(TARGETS * PANELS, (int64_t)fed, 0);
    int64_t *first_feed = integers(TARGETS * PANELS, 0, 0), *first_piece = integers(TARGETS * PANELS, 0, 0);
    for (size_t k = 0; k < TARGETS * PANELS; k++) {
        const size_t panel = k % PANELS, target = k / PANELS;
        low[k] = lowest + 0.01 * (double)panel;
        up[k] = lowest + 0.01 * (double)(panel + 1);
        first_bin[k] = sharp ? (int64_t)(panel < bins ? panel : bins - 1) : 0;
        first_feed[k] = (int64_t)(target * fed);
        first_piece[k] = (int64_t)(panel / 2);
        for (size_t n = 0; n < RATES_NODES; n++) {
            const double T = low[k] + (up[k] - low[k]) * ((double)n + 0.5) / RATES_NODES;
            recoil[k * RATES_NODES + n] = T;
            energy[k * RATES_NODES + n] = rates_massless_energy(sqrt(T), mass[target]);
            factor[k * RATES_NODES + n] = 1.0 / (2.0 * mass[target] * T);
        }
    }
    double *weight = doubles(nodes * weights, 1e-3, 1e-5);
    int64_t *first_weight = integers(TARGETS * PANELS, 0, (int64_t)(RATES_NODES * weights));
    int64_t *first_panel = integers(TARGETS + 1, 0, PANELS);
    double *feed_breaks = doubles(3, sqrt(lowest), 0.5 * (sqrt(lowest + 0.04) - sqrt(lowest)));
    double *feed = doubles(2 * (DEGREE + 1) * TARGETS * fed, 0.1, 0.01);
    const rates_plan plan = {mass, first_panel, low, up, first_bin, count, recoil, energy, factor, weight, first_weight,
                             first_piece, first_feed, feed_breaks, feed, TARGETS, 2, DEGREE, TARGETS * fed,
                             1.5, 0.0};

    int64_t *cell_power = integers(CELLS, 0, 2), *cell_lane = integers(CELLS, 0, 0);
    cell_lane[CELLS - 1] = (int64_t)(groups * RATES_GROUP - 1);
    int64_t *pair_row = integers(PAIRS, 0, 0), *pair_cell = integers(PAIRS, 0, 0);
    pair_row[PAIRS - 1] = ROWS - 1, pair_cell[PAIRS - 1] = CELLS - 1;
    int64_t *first_entry = integers(PAIRS + 1, 0, 1), *mass_power = integers(ENTRIES, 0, 2);
    first_entry[PAIRS] = ENTRIES;
    double *one_row = doubles(TARGETS * ENTRIES, 1.0, 0.1), *all_rows = doubles(TARGETS * MASSES * ENTRIES, 1.0, 0.1);
    double *final_mass = doubles(MASSES, 0.0, 6.9), *mediator = doubles(MASSES, 0.0, 3.0); /* up to beyond threshold */
    final_mass[0] = lowest == 0.0 ? 1e-6 : 0.0;
    final_mass[1] = 1e-9;

    for (int rows = 1; rows <= MASSES; rows += MASSES - 1) {
        const rates_terms terms = {cell_power, cell_lane, pair_row, pair_cell, first_entry, mass_power,
                                   rows == 1 ? one_row : all_rows, CELLS, PAIRS, ENTRIES, (size_t)rows,
                                   propagator_power};
        double *out = doubles(MASSES * ROWS * bins, 0.0, 0.0), *part = doubles(MASSES * ROWS * bins, 0.0, 0.0);
        check(rates_templates(&flux, &plan, &terms, final_mass, mediator, 0, MASSES, ROWS, bins, out), "memory");
        check(rates_templates(&flux, &plan, &terms, final_mass, mediator, 3, 5, ROWS, bins, part), "memory");
        double sum = 0.0;
        for (size_t i = 0; i < MASSES * ROWS * bins; i++) {
            const size_t m = i / (ROWS * bins);
            check(isfinite(out[i]), "a sum is not finite");
            check(part[i] == (m >= 3 && m < 5 ? out[i] : 0.0), "a range writes what is not its own, or other numbers");
            check(m < MASSES - 1 || out[i] == 0.0, "counts above the threshold");
            sum += fabs(out[i]);
        }
        check(sum > 0.0, "no counts at all");
        show(sum);
        free(out), free(part);
    }
    free(breaks), free(kinks), free(inverse_width), free(moments), free(mass), free(low), free(up), free(recoil);
    free(energy), free(factor), free(first_bin), free(count), free(first_feed), free(first_piece), free(weight);
    free(first_weight), free(first_panel), free(feed_breaks), free(feed), free(cell_power), free(cell_lane);
    free(pair_row), free(pair_cell), free(first_entry), free(mass_power), free(one_row), free(all_rows);
    free(final_mass), free(mediator);
}

int main(void)
{
    for (size_t groups = 1; groups <= 3; groups++)
        for (size_t bins = 1; bins <= 5; bins += 2)
            for (int sharp = 0; sharp <= 1; sharp++)
                for (int power = 0; power <= 2; power += 2)
                    for (int high = 0; high <= 1; high++) {
                        one_case(groups, bins, sharp || bins == 1, 0.001, power, high);
                        one_case(groups, bins, sharp || bins == 1, 0.0, power, high);
                    }
    double *images = doubles(0, 0.0, 0.0); /* no kinks, no room */
    check(rates_images(images, 0, 1.0, 1e5, 0.0, images) == 0, "images of nothing");
    free(images);
    return failures != 0;
}
