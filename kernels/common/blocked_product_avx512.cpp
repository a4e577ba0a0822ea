#define TYTO_LEVEL avx512
#define TYTO_BYTES 64
#define TYTO_ROWS 12
#include "kernels/common/blocked_product_level.h"
