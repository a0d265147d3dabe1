/* Vector width and register tile of each instruction set: the only place where
 * they are set. A tile holds TILE_ROWS x TILE_VECTORS accumulators; one vector of
 * the right operand per column of vectors and one broadcast must fit beside them,
 * and rows x vectors must be at least (FMA latency x FMAs per cycle) to keep the
 * multipliers busy: 4 on a 512-bit unit, 8 to 10 on two 256-bit ones. So a tile one
 * vector wide is higher, TALL_ROWS. */
#ifndef FASTDL_ISA_H
#define FASTDL_ISA_H

#if defined(__AVX512F__)
#define VECTOR_BYTES 64 /* 32 registers */
#define TILE_ROWS 8
#define TALL_ROWS 8
#define TILE_VECTORS 2
#elif defined(__AVX2__)
#define VECTOR_BYTES 32 /* 16 registers */
#define TILE_ROWS 6
#define TALL_ROWS 12
#define TILE_VECTORS 2
#elif defined(__aarch64__)
#define VECTOR_BYTES 16 /* 32 registers */
#define TILE_ROWS 8
#define TALL_ROWS 12
#define TILE_VECTORS 2
#else
#define VECTOR_BYTES 16 /* 16 registers, products need one more */
#define TILE_ROWS 4
#define TALL_ROWS 8
#define TILE_VECTORS 2
#endif

#endif
