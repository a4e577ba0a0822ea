#define TYTO_LEVEL avx2
#define TYTO_NAME "AVX2"
#define TYTO_BYTES 32
#define TYTO_VECTORS 12
#include "kernels/bev/bev_pool_level.h"
