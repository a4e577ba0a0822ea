#define TYTO_LEVEL avx512
#define TYTO_LANES 16
#define TYTO_ROWS 12
#include "kernels/common/blocked_product_level.h"
