// Needs 64 registers a thread and more, and may have 32.
__global__ void __launch_bounds__(1024, 2) spills(float* x) {
  float values[64];
#pragma unroll
  for (int i = 0; i < 64; ++i) values[i] = x[i * 1024 + threadIdx.x];
  __syncthreads();
#pragma unroll
  for (int i = 0; i < 64; ++i) x[i * 1024 + threadIdx.x] = values[i] * values[(7 * i + 3) % 64];
}
