#include "types.cuh"
#include "functions.cuh"
#define X_TYPE f16
#define Y_TYPE f16
#define MMA 0
#define TILE_M 64
#define TILE_N 64
#define WARPS_M 4
#define WARPS_N 1
#define SLICES 1
#define STAGES 3
#define STREAM 1
#define RESIDENT 3
#define SPLIT 1
#define CLUSTER 0
#define VECTOR 16
#define WINDOW 1
#define X_ZERO 0
#define INTEGER 0
#define KERNEL_H 3
#define STRIDE_H 1
#define DILATION_H 1
#define KERNEL_W 3
#define STRIDE_W 1
#define DILATION_W 1
#if 0
#define FERRY_EACH_OPERAND(X) X(0, 0, f16)
FERRY_INLINE float ferry_chain(float v, float o0) { v = v + o0; v = fn_relu(v); return v; }
#else
#define FERRY_EACH_OPERAND(X)
FERRY_INLINE float ferry_chain(float v) { v = fn_relu(v); return v; }
#endif
#include "product_wgmma.cuh"
