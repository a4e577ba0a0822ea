#define TYTO_LEVEL avx2
#define TYTO_NAME "AVX2"
#define TYTO_BYTES 32
#define TYTO_VECTORS 4
#include "kernels/bev/bev_pool_backward_level.h"
