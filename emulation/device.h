// CUDA as a .cu file sees it where g++ compiles it for the emulated device. The types and the host's half of
// fp16 and bf16 are the toolkit's own headers.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime_api.h>
#include <vector_functions.h>
#include <vector_types.h>

#include "emulation/atomics.h"
#include "emulation/barrier.h"
#include "emulation/builtins.h"
#include "emulation/cooperative_groups.h"
#include "emulation/intrinsics.h"
#include "emulation/kernel_entry.h"
#include "emulation/shared_memory.h"
#include "emulation/warp.h"

#define __launch_bounds__(...)
