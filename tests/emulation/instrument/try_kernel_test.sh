#!/bin/bash
# try_kernel_test.sh SOURCE BUILD: the README's example is found wrong, and right once its barrier is there; a kernel that
# one schedule shows right is found to depend on the order of its atomics, and on who has ended.
set -euo pipefail
source=$1
export BUILD=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
example=$source/examples/emulate_kernel/reverse.cu

if "$source/scripts/try-kernel" "$example" >"$work/report"; then
  echo "the race was not found" && exit 1
fi
cat "$work/report"
grep -q "finding: reverse_rows, .*with no barrier between them (320 accesses)" "$work/report"

sed 's,// __syncthreads,__syncthreads,' "$example" >"$work/right.cu"
"$source/scripts/try-kernel" "$work/right.cu" >"$work/report" || (cat "$work/report" && exit 1)
cat "$work/report"
grep -q "^clean" "$work/report"

cat >"$work/order.cu" <<'END'
#include "kernels/common/launch.h"

__global__ void sum_of_tenths(float* sum) {
  if (threadIdx.x >= 32) return;
  atomicAdd(sum, 0.1f);
  __syncthreads();
}

int main() {
  float* sum = nullptr;
  cudaMalloc(reinterpret_cast<void**>(&sum), sizeof(float));
  cudaMemset(sum, 0, sizeof(float));
  tyto::kernels::launch<sum_of_tenths>({.grid = 1, .block = 64}, sum);
  cudaDeviceSynchronize();
  cudaFree(sum);
}
END
if "$source/scripts/try-kernel" "$work/order.cu" >"$work/report"; then
  echo "neither was found" && exit 1
fi
cat "$work/report"
grep -q "finding: sum_of_tenths, .*order.cu:5, .*in no order" "$work/report"
grep -q "finding: sum_of_tenths, .*order.cu:6, .*has ended without __syncthreads" "$work/report"
