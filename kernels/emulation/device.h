// CUDA as a .cu file sees it where g++ compiles it for the emulated device. The types and the host's half of fp16 and
// bf16 are the toolkit's own headers.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime_api.h>
#include <vector_functions.h>
#include <vector_types.h>

#include "kernels/emulation/atomics.h"
#include "kernels/emulation/barrier.h"
#include "kernels/emulation/builtins.h"
#include "kernels/emulation/cooperative_groups.h"
#include "kernels/emulation/intrinsics.h"
#include "kernels/emulation/kernel_entry.h"
#include "kernels/emulation/shared_memory.h"
#include "kernels/emulation/warp.h"

#define __launch_bounds__(...)
