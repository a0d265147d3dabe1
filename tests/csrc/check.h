/* A test in C: CHECK ends the program at the first thing that does not hold. */
#ifndef FASTDL_CHECK_H
#define FASTDL_CHECK_H

#include <stdio.h>
#include <stdlib.h>

#define CHECK(holds)                                                           \
  do {                                                                         \
    if (holds) break;                                                          \
    fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #holds); \
    exit(1);                                                                   \
  } while (0)

#endif
