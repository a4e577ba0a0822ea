#!/bin/bash
# try_kernel_test.sh SOURCE BUILD: the README's example is found wrong, and right once its barrier is there.
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
