/* One instance of every micro-kernel. setup.py compiles this file once for each
 * instruction set (by compiler flags) and real type:
 *   -DTABLE=fastdl_avx512_f32 -DREAL_BITS=32 -DX86_ONLY=1 -mavx512f ...
 * An object for two processors, as macOS has them, holds AVX for one of them only. */
#if !X86_ONLY || defined(__x86_64__)
#include "activation.c"
#include "augment.c"
#include "batchnorm.c"
#include "depthwise.c"
#include "dropout.c"
#include "elementwise.c"
#include "gather.c"
#include "layernorm.c"
#include "matmul.c"
#include "optimizer.c"
#include "peak.c"
#include "penalty.c"
#include "planes.c"
#include "pool2d.c"
#include "pool2d_backward.c"
#include "prelu.c"
#include "resample.c"
#include "scale.c"
#include "softmax.c"
#include "sums.c"
#include "winograd.c"

#define KIND(name, usual) #name " "
const MicroKernels TABLE = {
    .tile_rows = TILE_ROWS,
    .tile_cols = TILE_COLS,
    .lanes = LANES,
    .real_bytes = sizeof(real),
    .activations = ACTIVATIONS,
#define MICROKERNEL(name, arguments) .name = name,
#include "microkernels.def"
#undef MICROKERNEL
};
#endif
