#!/bin/bash
# selftest_level.sh TYTO LEVEL NAME [PRECISION...]: `tyto selftest` with oneDNN held to an instruction set (its name for it,
# and tyto's), in each precision. Exit 77, which ctest calls skipped, where the CPU has less.
set -euo pipefail
tyto=$1
export DNNL_MAX_CPU_ISA=$2
if ! "$tyto" info --json | grep -qF "\"instruction set\":\"$3\""; then
  echo "this CPU has no $3"
  exit 77
fi
for precision in "${@:4}"; do "$tyto" selftest --device cpu --precision "$precision"; done
