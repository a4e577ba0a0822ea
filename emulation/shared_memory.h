// Shared memory, as kernels declare it. (kernels/common/cuda.h says what the macros mean.)
#pragma once

#include <cstddef>

#include "emulation/where.h"

namespace emulation {

void* shared_array(const void* site, size_t bytes, const char* name, Where where = Where::current());
void* shared_dynamic(const char* name, Where where = Where::current());

}  // namespace emulation

// A kernel's arrays are told apart by where they are declared; an instance of a template has its own.
#define TYTO_SHARED_ARRAY(type, name, size) \
  static const char name##_site = 0;        \
  auto& name = *static_cast<type(*)[size]>(::emulation::shared_array(&name##_site, sizeof(type[size]), #name))

#define TYTO_SHARED_DYNAMIC(type, name) type* name = static_cast<type*>(::emulation::shared_dynamic(#name))

// It would be a local variable here.
#undef __shared__
#define __shared__ \
  static_assert(false, "declare shared memory with TYTO_SHARED_ARRAY or TYTO_SHARED_DYNAMIC");
