/* The micro-kernels of a table, where they can't be called from Python:
 *
 *   microkernels ISA BITS FILE
 *
 * ends with 3 where this processor, or its emulator, lacks the instruction set. */
#include <stdlib.h>

#include "microkernels.h"

void fastdl_try_microkernels(const MicroKernels *table, const char *path);

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  const MicroKernels *table = fastdl_microkernels(argv[1], atoi(argv[2]) / 8);
  if (!table) return 3;
  fastdl_try_microkernels(table, argv[3]);
  return 0;
}
