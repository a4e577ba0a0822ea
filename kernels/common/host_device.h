// Marks a function that CPU and CUDA kernels share.
#pragma once

#ifdef __CUDACC__
#define TYTO_HOST_DEVICE __host__ __device__
#else
#define TYTO_HOST_DEVICE
#endif
