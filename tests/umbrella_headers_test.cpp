// The rooms' doors compile, alone and together.
#include "engine/engine.h"
#include "kernels/kernels.h"
