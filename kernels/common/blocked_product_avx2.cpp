#define TYTO_LEVEL avx2
#define TYTO_BYTES 32
#define TYTO_ROWS 6
#include "kernels/common/blocked_product_level.h"
