#define TYTO_LEVEL baseline
#define TYTO_BYTES 16
#define TYTO_ROWS 4
#include "kernels/common/blocked_product_level.h"
