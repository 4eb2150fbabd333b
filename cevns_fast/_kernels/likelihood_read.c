/* A likelihood from a block of numbers or a file. */
#include "likelihood_types.h"

#include <stdint.h>
#include <stdio.h>

/* A block is read from its beginning to its end; what runs over is refused. */
typedef struct {
    const double *next;
    size_t left;
    int failed;
} reader;

/* The next rows * columns numbers. */
static const double *take(reader *r, size_t rows, size_t columns)
{
    size_t n = rows * columns;
    if (columns > 0 && rows > r->left / columns) {
        r->failed = 1;
        return NULL;
    }
    const double *found = r->next;
    r->next += n;
    r->left -= n;
    return found;
}

static double number(reader *r)
{
    const double *found = take(r, 1, 1);
    return found ? *found : 0;
}

static size_t count(reader *r)
{
    double found = number(r);
    if (!(found >= 0 && found <= 1e9 && found == floor(found))) {
        r->failed = 1;
        return 0;
    }
    return (size_t)found;
}

/* Whether a number is an integer from `lowest` to below a limit. */
static int is_index(double found, double lowest, size_t limit)
{
    return found >= lowest && found < (double)limit && found == floor(found);
}

static void read_experiment(const cevns_fast_likelihood *l, reader *r, experiment *e)
{
    e->first_bin = l->bins;
    size_t statistic = count(r);
    r->failed |= statistic > POISSON;
    e->statistic = (enum statistic)statistic;
    e->bins = count(r);
    e->shape_variance = number(r);
    e->off_on_ratio = number(r);
    e->factor = number(r);
    e->data = take(r, e->bins, 1);
    e->weight = take(r, e->bins, 1);
    e->background = take(r, e->bins, 1);
    e->base = take(r, e->bins, 1);
    e->scale = take(r, l->nuisances, 1);
    e->morph = take(r, l->nuisances, 1);
    e->shift = take(r, l->nuisances, e->bins);
    if (l->curved) {
        e->groups = count(r);
        e->terms = count(r);
        e->factors = count(r);
        e->term = take(r, e->terms, TERM_HEAD + e->bins);
        e->factor_of = take(r, e->factors, FACTOR_SIZE);
    }
    e->tables = count(r);
    e->pieces = count(r);
    e->degree = count(r);
    e->breaks = take(r, e->pieces + 1, 1);
    size_t sizes[] = {e->degree + 1, e->tables, l->monomials, e->bins}, total = e->pieces;
    for (int i = 0; i < 4; i++) { /* a product that might overflow cannot be what is left */
        r->failed |= sizes[i] > 0 && total > r->left / sizes[i];
        total = r->failed ? 0 : total * sizes[i];
    }
    e->coefficients = take(r, total, 1);
    for (size_t k = 0; !r->failed && k < l->nuisances; k++)
        r->failed |= !is_index(e->morph[k], 0, e->tables);
    for (size_t j = 0; !r->failed && j < e->terms; j++) {
        const double *term = e->term + j * (TERM_HEAD + e->bins);
        r->failed |= !is_index(term[0], 0, e->groups + 1) || !is_index(term[1], -1, l->nuisances) ||
                     !is_index(term[2], 0, BENT + 1);
    }
    for (size_t j = 0; !r->failed && j < e->factors; j++) {
        const double *given = e->factor_of + j * FACTOR_SIZE;
        r->failed |= !is_index(given[0], 0, e->groups + 1) || !is_index(given[1], 0, l->nuisances) ||
                     !is_index(given[2], 0, INTERPOLATED + 1);
    }
    for (size_t i = 0; !r->failed && i < e->pieces; i++)
        r->failed |= !(e->breaks[i] < e->breaks[i + 1]);
    r->failed |= e->bins == 0 || e->tables == 0 || e->pieces == 0;
}

/* One more experiment, in the place that it was read into. */
static void keep(cevns_fast_likelihood *l, const experiment *e)
{
    l->experiments++;
    l->bins += e->bins;
    l->outputs += e->tables * l->monomials * e->bins;
    l->poisson |= e->statistic == POISSON;
}

/* Indices from `lowest` to below a limit; -1 becomes NONE. */
static void read_indices(reader *r, size_t n, double lowest, size_t limit, size_t *out)
{
    const double *found = take(r, n, 1);
    for (size_t i = 0; found && i < n; i++) {
        r->failed |= !is_index(found[i], lowest, limit);
        out[i] = !r->failed && found[i] >= 0 ? (size_t)found[i] : NONE;
    }
}

/* Whether a nuisance moves an experiment's expectation. */
static int acts(const experiment *e, size_t k)
{
    int found = e->scale[k] != 0 || e->morph[k] > 0;
    for (size_t b = 0; b < e->bins && !found; b++)
        found = e->shift[k * e->bins + b] != 0;
    for (size_t j = 0; j < e->terms && !found; j++)
        found = e->term[j * (TERM_HEAD + e->bins) + 1] == (double)k;
    for (size_t j = 0; j < e->factors && !found; j++)
        found = e->factor_of[j * FACTOR_SIZE + 1] == (double)k;
    return found;
}

/* Which nuisances act on each experiment: few of many do. */
static int find_active(cevns_fast_likelihood *l)
{
    size_t *next = l->active = malloc((l->experiments * l->nuisances + 1) * sizeof(size_t));
    for (size_t i = 0; next && i < l->experiments; i++) {
        experiment *e = l->experiment + i;
        e->active = next;
        for (size_t k = 0; k < l->nuisances; k++)
            if (acts(e, k))
                *next++ = k;
        e->acting = (size_t)(next - e->active);
        e->curved = e->terms + e->factors > 0;
        l->bends |= e->curved;
    }
    return next != NULL;
}

static void read_all(cevns_fast_likelihood *l, reader *r, const int *chosen, const double *widths)
{
    double magic = number(r);
    l->curved = magic == CURVED_MAGIC;
    r->failed |= !l->curved && magic != MAGIC;
    l->parameters = count(r);
    l->couplings = count(r);
    l->monomials = count(r);
    l->nuisances = count(r);
    l->offered = count(r);
    if (r->failed)
        return;
    l->lower = take(r, l->parameters, 1);
    l->upper = take(r, l->parameters, 1);
    const double *names = take(r, l->parameters, NAME_SIZE);
    size_t factors = count(r), limits[] = {l->parameters, l->parameters, factors + 1, l->couplings, 100, l->parameters};
    double lowest[] = {0, -1, 0, 0, 1, -1};
    size_t sizes[] = {l->couplings, 1, l->monomials + 1, factors, factors, l->nuisances}, total = 0;
    for (int i = 0; i < 6; i++)
        total += sizes[i];
    if (r->failed || total > r->left || l->nuisances > r->left ||
        !(l->indices = malloc((total + 1) * sizeof(size_t)))) {
        r->failed = 1;
        return;
    }
    size_t *next[6] = {l->indices};
    for (int i = 0; i < 6; i++) {
        read_indices(r, sizes[i], lowest[i], limits[i], next[i]);
        if (i < 5)
            next[i + 1] = next[i] + sizes[i];
    }
    l->centre = take(r, l->nuisances, 1);
    l->offset = take(r, l->nuisances, 1);
    l->mix = take(r, l->nuisances, l->nuisances);
    const double *strength = l->curved ? take(r, l->nuisances, 1) : NULL;
    if (r->failed || l->offered > r->left) {
        r->failed = 1;
        return;
    }
    l->names = malloc(l->parameters * NAME_SIZE + 1);
    l->experiment = calloc(l->offered, sizeof(experiment));
    l->prior = calloc(l->nuisances * (l->nuisances + 1) + 1, sizeof(double));
    if (!l->names || !l->experiment || !l->prior) {
        r->failed = 1;
        return;
    }
    l->strength = l->prior + l->nuisances * l->nuisances;
    for (size_t k = 0; k < l->nuisances; k++) {
        double width = widths ? widths[k] : 1, tighter = 1 / (width * width);
        r->failed |= !(width > 0 && tighter > 0 && isfinite(tighter));
        l->strength[k] = tighter * (strength ? strength[k] : 1);
    }
    for (size_t k = 0, n = l->nuisances; k < n; k++)
        for (size_t j = 0; j < n; j++) {
            l->mixed |= l->mix[k * n + j] != (j == k);
            for (size_t i = 0; i < n; i++)
                l->prior[k * n + j] += l->strength[i] * (l->mix[i * n + k] * l->mix[i * n + j]);
        }
    l->coupling_at = next[0], l->x_at = next[1][0], l->first_factor = next[2];
    l->factor = next[3], l->power = next[4], l->nuisance_at = next[5];
    r->failed |= l->first_factor[0] != 0 || l->first_factor[l->monomials] != factors;
    for (size_t m = 0; m < l->monomials; m++)
        r->failed |= l->first_factor[m] > l->first_factor[m + 1];
    for (size_t i = 0; i < l->parameters * NAME_SIZE; i++)
        l->names[i] = names[i] >= 0 && names[i] <= 255 ? (char)(unsigned char)names[i] : '?';
    for (size_t i = 0; i < l->parameters; i++)
        l->names[(i + 1) * NAME_SIZE - 1] = '\0';
    for (size_t k = 0; k < l->nuisances; k++)
        l->profiled += l->nuisance_at[k] == NONE;
    for (size_t i = 0; i < l->offered && !r->failed; i++) {
        experiment *e = l->experiment + l->experiments; /* over one that was left out */
        read_experiment(l, r, e);
        if (!r->failed && (!chosen || chosen[i]))
            keep(l, e);
    }
    r->failed |= chosen && l->experiments == 0;
    r->failed |= r->failed || !find_active(l);
    double work = r->failed ? 0 : cevns_fast_work_of(l);
    r->failed |= work >= (double)(SIZE_MAX / sizeof(double));
    l->workspace = r->failed ? 0 : (size_t)work;
    l->plain = !r->failed && cevns_fast_is_plain(l);
}

static cevns_fast_likelihood *create(const double *block, size_t length, const int *chosen, const double *widths)
{
    cevns_fast_likelihood *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->length = length;
    l->block = length > 0 ? malloc(length * sizeof(double)) : NULL;
    reader r = {l->block, length, l->block == NULL};
    if (l->block) {
        memcpy(l->block, block, length * sizeof(double));
        read_all(l, &r, chosen, widths);
    }
    if (r.failed || r.left) {
        cevns_fast_close(l);
        return NULL;
    }
    return l;
}

cevns_fast_likelihood *cevns_fast_create(const double *block, size_t length)
{
    return create(block, length, NULL, NULL);
}

cevns_fast_likelihood *cevns_fast_variant(const cevns_fast_likelihood *l, const int *chosen, const double *widths)
{
    return create(l->block, l->length, chosen, widths);
}

cevns_fast_likelihood *cevns_fast_open(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    cevns_fast_likelihood *l = NULL;
    double head; /* the length comes first in a file */
    if (fread(&head, sizeof head, 1, file) == 1 && head > 0 && head < 1e9 && head == floor(head)) {
        size_t length = (size_t)head;
        double *block = malloc(length * sizeof(double));
        if (block && fread(block, sizeof(double), length, file) == length && fgetc(file) == EOF)
            l = cevns_fast_create(block, length);
        free(block);
    }
    fclose(file);
    return l;
}

void cevns_fast_close(cevns_fast_likelihood *l)
{
    if (!l)
        return;
    free(l->block);
    free(l->indices);
    free(l->active);
    free(l->names);
    free(l->experiment);
    free(l->prior);
    free(l);
}
