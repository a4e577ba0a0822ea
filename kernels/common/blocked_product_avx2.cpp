#define TYTO_LEVEL avx2
#define TYTO_LANES 8
#define TYTO_ROWS 6
#include "kernels/common/blocked_product_level.h"
