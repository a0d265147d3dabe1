/* Which tables exist, and which of them this processor can run. */
#include <string.h>

#include "microkernels.h"

extern const MicroKernels fastdl_generic_f32, fastdl_generic_f64;
#if defined(__x86_64__)
extern const MicroKernels fastdl_avx2_f32, fastdl_avx2_f64;
extern const MicroKernels fastdl_avx512_f32, fastdl_avx512_f64;
#endif

const MicroKernels *fastdl_microkernels(const char *isa, int real_bytes) {
  const int f64 = real_bytes == 8;
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (!strcmp(isa, "avx512")) {
    const int runs =
        __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
    return !runs ? NULL : f64 ? &fastdl_avx512_f64 : &fastdl_avx512_f32;
  }
  if (!strcmp(isa, "avx2")) {
    const int runs = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    return !runs ? NULL : f64 ? &fastdl_avx2_f64 : &fastdl_avx2_f32;
  }
#endif
  if (!strcmp(isa, "generic")) return f64 ? &fastdl_generic_f64 : &fastdl_generic_f32;
  return NULL;
}
