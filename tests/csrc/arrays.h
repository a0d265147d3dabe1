/* Arrays of the real type of the table that is tried, filled with fixed numbers, and
 * how what comes of them is shown. Includers define _DEFAULT_SOURCE first. */
#ifndef FASTDL_ARRAYS_H
#define FASTDL_ARRAYS_H

#include <math.h>
#include <string.h>

#include "aligned.h"
#include "check.h"
#include "microkernels.h"

enum {
  ARENA = 8 << 20, /* bytes for the arrays of one case */
  MOST = 1 << 16,  /* reals of a line */
  ROOM = 32,       /* reals behind each array: whole vectors may be read there */
  PIXELS = 10,     /* of an example, where they are cut into three parts */
};

static const MicroKernels *k;
static FILE *file;
static const char *kernel; /* the name of the one that is tried */
static char *arena;
static ptrdiff_t used;
static uint64_t seed;

static void *take(ptrdiff_t bytes) {
  char *memory = arena + used;
  used += (bytes + 63) / 64 * 64;
  CHECK(used <= ARENA);
  return memory;
}

static ptrdiff_t bytes(ptrdiff_t n) { return n * k->real_bytes; }

static void *at(const void *array, ptrdiff_t i) {
  return (char *)(uintptr_t)array + bytes(i);
}

static double get(const void *array, ptrdiff_t i) {
  const void *p = at(array, i);
  return k->real_bytes == 8 ? *(const double *)p : (double)*(const float *)p;
}

static void set(void *array, ptrdiff_t i, double value) {
  void *p = at(array, i);
  if (k->real_bytes == 8)
    *(double *)p = value;
  else
    *(float *)p = (float)value;
}

/* Numbers that no library makes differently: seed = 5^13 seed mod 2^46. */
static double uniform(double low, double high) {
  seed = seed * 1220703125 % ((uint64_t)1 << 46);
  return low + (high - low) * (double)(seed >> 14) / 4294967296.0;
}

static void *filled(ptrdiff_t n, double value) {
  void *array = take(bytes(n + ROOM));
  for (ptrdiff_t i = 0; i < n + ROOM; i++) set(array, i, value);
  return array;
}

static void *blank(ptrdiff_t n) { return filled(n, NAN); }

static void *between(double low, double high, ptrdiff_t n) {
  void *array = filled(n, 0);
  for (ptrdiff_t i = 0; i < n; i++) set(array, i, uniform(low, high));
  return array;
}

static void *reals(ptrdiff_t n) { return between(-1, 1, n); }

static void show_doubles(const char *what, const double *values, ptrdiff_t n) {
  fprintf(file, "%s.%s %lld\n", kernel, what, (long long)n);
  CHECK(fwrite(values, sizeof *values, (size_t)n, file) == (size_t)n);
}

static void show(const char *what, const void *array, ptrdiff_t n) {
  static double values[MOST];
  CHECK(n <= MOST);
  for (ptrdiff_t i = 0; i < n; i++) values[i] = get(array, i);
  show_doubles(what, values, n);
}

static const ptrdiff_t sizes[] = {1, 3, 4, 5, 8, 9, 16, 17, 33, 70};
#define EACH(i, array)                                                               \
  for (size_t i##_ = 0; i##_ < sizeof array / sizeof *array && (i = array[i##_], 1); \
       i##_++)

/* All elements, in two spans. */
typedef void Span(const void *arguments, ptrdiff_t first, ptrdiff_t end);

static void in_spans(Span *span, const void *arguments, ptrdiff_t n) {
  span(arguments, 0, n / 3);
  span(arguments, n / 3, n);
}

static int kind_of(const char *name) {
  int kind = 0;
  for (const char *p = k->activations; *p; p = strchr(p, ' ') + 1, kind++)
    if (!strncmp(p, name, strlen(name)) && p[strlen(name)] == ' ') return kind;
  CHECK(!"an activation of that name");
  return -1;
}

static int kinds(void) {
  int count = 0;
  for (const char *p = k->activations; *p; p++) count += *p == ' ';
  return count;
}

#endif
