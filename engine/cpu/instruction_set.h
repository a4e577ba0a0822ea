// What this CPU can do, as oneDNN sees it (so that its environment variables apply to us too).
#pragma once

#include <cstdint>
#include <string>

namespace tyto::cpu {

std::string instruction_set();  // "AVX2", "AVX-512 with BF16", "AVX-512 with AMX" ...
bool has_bf16();                // AVX512_BF16 or AMX: products of bfloat16 in hardware
int64_t machine_memory();       // bytes of memory and swap
int physical_cores();           // that this process may run on; two threads of one core gain nothing here

}  // namespace tyto::cpu
