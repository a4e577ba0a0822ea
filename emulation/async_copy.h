// The twin of kernels/common/async_copy.cuh.
#pragma once

#include <vector_types.h>

#include <cstring>

#include "emulation/where.h"

namespace emulation {

// A thread's copy to shared memory that it has asked for and not yet waited for.
struct PendingCopy {
  void* to = nullptr;
  const void* from = nullptr;
  int bytes = 0, valid = 0;  // beyond `valid`, zeros are written
  int group = 0;
};

void pend(const PendingCopy& copy, Where where);
void commit_async();
// Takes the first copy out that all groups but the latest `groups` hold; false: there is none.
bool take_landed(int groups, PendingCopy& copy);

// Here, inline, where an instrument sees the accesses.
template <class T>
void land(const PendingCopy& copy) {
  if (copy.valid == copy.bytes) {
    *static_cast<T*>(copy.to) = *static_cast<const T*>(copy.from);
    return;
  }
  T padded{};
  std::memcpy(&padded, copy.from, static_cast<size_t>(copy.valid));
  *static_cast<T*>(copy.to) = padded;
}

template <int Bytes>
void copy_async(void* shared, const void* global, int valid = Bytes, Where where = Where::current()) {
  static_assert(Bytes == 4 || Bytes == 8 || Bytes == 16);
  pend({.to = shared, .from = global, .bytes = Bytes, .valid = valid}, where);
}

template <int Groups>
void wait_async() {
  for (PendingCopy copy; take_landed(Groups, copy);) switch (copy.bytes) {
      case 4:
        land<unsigned>(copy);
        break;
      case 8:
        land<uint2>(copy);
        break;
      case 16:
        land<uint4>(copy);
        break;
    }
}

}  // namespace emulation
