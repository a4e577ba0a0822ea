#define TYTO_LEVEL baseline
#define TYTO_NAME "baseline"
#define TYTO_BYTES 16
#define TYTO_VECTORS 8
#include "kernels/bev/bev_pool_level.h"
