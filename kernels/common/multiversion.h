// Marks a function of a CPU kernel that is compiled for several vector widths from one source; the CPU's best
// is taken when the program starts. All give the same bits where no multiply-add is fused
// (-ffp-contract=off).
#pragma once

#define TYTO_MULTIVERSION __attribute__((target_clones("avx512f", "avx2", "default")))
