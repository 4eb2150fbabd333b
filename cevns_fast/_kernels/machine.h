/* One binary for every processor: what is INLINE is compiled for the processor of its caller, and a caller that is
 * RECENT, for vectors of four numbers and fused multiply-add (x86 since 2013), may run where recent_machine() says so. */
#ifndef CEVNS_FAST_MACHINE_H
#define CEVNS_FAST_MACHINE_H

#if defined(__GNUC__)
#define INLINE inline __attribute__((always_inline))
#else
#define INLINE inline
#endif

#if defined(__GNUC__) && defined(__x86_64__) && !defined(ANY_MACHINE) /* which tests define */
#define HAS_RECENT
#define RECENT __attribute__((target("avx2,fma")))
#define WIDE __attribute__((target("avx2"))) /* without fused multiply-add: the bits of any other processor */

static INLINE int recent_machine(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
#endif

#endif
