#define TYTO_LEVEL avx512
#define TYTO_NAME "AVX-512"
#define TYTO_BYTES 64
#define TYTO_VECTORS 12
#include "kernels/bev/bev_pool_level.h"
