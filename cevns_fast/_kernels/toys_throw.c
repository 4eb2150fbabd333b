/* The data of a toy: a stream of random numbers of its own, in the order nuisances, bins, hidden rows. */
#include "toys_plan.h"

#include "random.h"

double toys_throw(toy_plan *p, size_t number)
{
    const cevns_fast_likelihood *l = &p->likelihood;
    struct random_stream stream;
    random_start(&stream, p->toys.key, p->toys.place, (uint32_t)number);
    double hidden = 0;
    for (size_t k = 0; k < l->nuisances; k++) {
        p->delta[k] = random_normal(&stream);
        p->centre[k] = p->toys.pull[k] + p->delta[k];
        p->delta[k] *= l->strength[k];
    }
    for (size_t i = 0; i < l->experiments; i++) {
        const experiment *e = l->experiment + i;
        for (size_t j = e->first_bin; j < e->first_bin + e->bins; j++) {
            if (e->statistic != POISSON) {
                p->data[j] = p->toys.mean[j] + p->toys.spread[j] * random_normal(&stream);
                continue;
            }
            p->data[j] = random_poisson(&stream, p->toys.mean[j]);
            if (isfinite(e->off_on_ratio))
                p->weight[j] = random_poisson(&stream, p->toys.spread[j]);
        }
        for (double n = p->toys.hidden[i]; n > 0; n--) {
            double x = random_normal(&stream);
            hidden += x * x;
        }
    }
    return hidden;
}

void cevns_fast_toys_throw(toy_plan *p, size_t number, double *data, double *weight, double *centre, double *hidden)
{
    *hidden = toys_throw(p, number);
    memcpy(data, p->data, p->likelihood.bins * sizeof(double));
    memcpy(weight, p->weight, p->likelihood.bins * sizeof(double));
    memcpy(centre, p->centre, p->likelihood.nuisances * sizeof(double));
}
