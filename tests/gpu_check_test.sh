#!/bin/sh
# scripts/gpu-check's bundle stands alone: in an empty environment its programs find in it what the system does not have,
# and where there is no GPU it says so in one sentence. Usage: gpu_check_test.sh SOURCE BUILD FOLDER
set -eu
source=$1 build=$2 bundle=$3/gpu-check

fail() {
  echo "FAILED: $1" >&2
  exit 1
}

"$source/scripts/gpu-check" bundle "$bundle" --build "$build" --no-predictions

for program in "$bundle"/bin/*; do
  name=$(basename "$program")
  outside=$(env -i ldd "$program" | awk -v lib="$bundle/" '$2 == "=>" && index($3, lib) != 1 { print $1 }' |
            grep -Ev '^lib(c|m|dl|rt|pthread|resolv|util|stdc\+\+|gcc_s)\.so' || true)
  [ -z "$outside" ] || fail "$name takes from outside of the bundle: $outside"
  case $name in
    tyto_bench) list=--benchmark_list_tests line='^nms/.*/cpu' ;;
    *) list=--gtest_list_tests line='^  ' ;;
  esac
  env -i TYTO_NETWORK_SHAPES="$bundle/network_shapes.txt" "$program" $list >"$3/tests" 2>/dev/null ||
    fail "$name does not start"
  grep -q "$line" "$3/tests" || fail "$name has nothing to run"
done
cases=$(env -i TYTO_NETWORK_SHAPES="$bundle/network_shapes.txt" "$bundle/bin/networks_cuda_test" --gtest_list_tests |
        grep -c 'EqualTheCpu/')
# Those whose tensors have values in the file are rigs of cameras, which tests/parity/test_bev.py runs.
rigs=$(awk '/^network / { rig = 0 } / = / && !rig { rig = 1; rigs++ } END { print rigs + 0 }' "$bundle/network_shapes.txt")
networks=$(($(grep -c '^network ' "$bundle/network_shapes.txt") - rigs))
[ "$cases" -eq $((2 * 4 * networks)) ] || fail "$cases cases of $networks networks of two widths in four precisions"

if ldconfig -p | grep -q 'libcuda\.so\.1'; then
  echo "there is a driver here, so what is said without one is not tried"
  exit 0
fi
said=$(cd "$3" && env -i PATH=/usr/bin:/bin "$bundle/gpu-check" --offline 2>&1) && fail "it passed without a GPU"
[ "$said" = "gpu-check: there is no NVIDIA driver here (no libcuda.so.1), so there is no GPU to check" ] ||
  fail "without a GPU it said: $said"
