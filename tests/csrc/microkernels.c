/* Calls every micro-kernel of one table on fixed inputs and writes what it computes: a
 * line that names each array and says how many they are, then its values as doubles.
 * test_csrc.py compares what a table computes that another compiler made, for another
 * system or processor, with what this machine's do, which tests/kernels compare with
 * NumPy.
 *
 * Each micro-kernel has a function try_<name>; the compiler says which one is missing.
 */
#define _DEFAULT_SOURCE
#include "arrays.h"
#include "convolutions.c"
#include "elements.c"
#include "images.c"
#include "normalization.c"
#include "products.c"
#include "training.c"

static const struct {
  const char *name;
  void (*run)(void);
} tries[] = {
#define MICROKERNEL(name, arguments) {#name, try_##name},
#include "microkernels.def"
#undef MICROKERNEL
};

/* Writes what all micro-kernels of a table compute to a file. */
void fastdl_try_microkernels(const MicroKernels *table, const char *path) {
  k = table;
  seed = 1;
  arena = take_aligned(64, ARENA);
  file = fopen(path, "wb");
  CHECK(arena && file);
  for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
    used = 0;
    kernel = tries[i].name;
    tries[i].run();
  }
  CHECK(!fclose(file));
  free_aligned(arena);
}
