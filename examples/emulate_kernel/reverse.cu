// Reverses each row of 64 floats through shared memory, and forgets a barrier. scripts/try-kernel says so:
//   scripts/try-kernel examples/emulate_kernel/reverse.cu
#include "kernels/common/launch.h"

__global__ void reverse_rows(float* rows) {
  TYTO_SHARED_ARRAY(float, row, 64);
  row[threadIdx.x] = rows[blockIdx.x * 64 + threadIdx.x];
  // __syncthreads();
  rows[blockIdx.x * 64 + threadIdx.x] = row[63 - threadIdx.x];
}

int main() {
  float* rows = nullptr;
  cudaMalloc(reinterpret_cast<void**>(&rows), 10 * 64 * sizeof(float));
  cudaMemset(rows, 0, 10 * 64 * sizeof(float));
  tyto::kernels::launch<reverse_rows>({.grid = 10, .block = 64}, rows);
  cudaDeviceSynchronize();
  cudaFree(rows);
}
