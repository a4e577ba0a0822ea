#define TYTO_LEVEL baseline
#define TYTO_NAME "baseline"
#define TYTO_BYTES 16
#define TYTO_VECTORS 4
#include "kernels/bev/bev_pool_backward_level.h"
