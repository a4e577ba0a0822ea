// Memory of the emulated devices, and pinned memory of the host.
//
// A buffer lies between two redzones, which AddressSanitizer watches where it is on and whose bytes are
// compared after every piece of work where it is not. Fresh memory holds 0xFF: NaN in every type. The pages
// of a device's memory may be touched only while that device works: host code that follows a device pointer
// ends at once, as does any use of freed memory, and a sentence says which buffer it was. Which pages a piece
// of work reads and writes is found out as it touches them (not under AddressSanitizer, which watches by
// bytes and tells nobody).
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "emulation/library_call.h"
#include "emulation/observer.h"

namespace emulation::runtime {

struct Buffer {
  std::byte* data = nullptr;
  size_t bytes = 0;
  Space space = Space::Device;
  int device = 0;  // of pinned memory: that was current
  int64_t number = 0;
  std::byte* mapping = nullptr;  // redzone, data, redzone; null: the host's own memory, registered
  size_t mapped = 0;
};

std::string name_of(const Buffer& buffer);  // "device buffer 12 (4096 bytes)"

const Buffer* allocate(Space space, int device, size_t bytes);      // null: no memory
const Buffer* register_host(void* data, size_t bytes, int device);  // null: overlaps what is registered
void release(const Buffer& buffer);                                 // a damaged redzone is a fault

const Buffer* buffer_at(const void* address);  // the live one that holds the address, or null
bool is_released(const void* address);         // lately
size_t bytes_in_use(int device);

// Why work on the device may not touch the range: "reaches 4 bytes past the end of device buffer 12 (4096
// bytes)". Empty where it may.
std::string objection(const Range& range, int device);

// While it lives the device's memory may be touched. Within another of the same device there may be one for
// each piece of work: under AddressSanitizer opening and closing everything costs time.
class DeviceWorks {
 public:
  explicit DeviceWorks(int device);
  ~DeviceWorks();
  DeviceWorks(const DeviceWorks&) = delete;
  DeviceWorks& operator=(const DeviceWorks&) = delete;

  // What lies of the device's buffers on each page that was touched so far; one that was written may have
  // been read.
  struct Touched {
    std::vector<Range> reads, writes;
  };
  Touched touched() const;

  // A redzone that changed, of a buffer that was touched or of pinned memory, is a fault of `culprit`.
  void check_redzones(const std::string& culprit) const;

 private:
  int outer_;  // the device, where another lives, or -1
};

// While it lives the device's buffers that hold the ranges may be touched: cheaper, where there are many.
class RangesInUse {
 public:
  RangesInUse(std::span<const Range> reads, std::span<const Range> writes);
  ~RangesInUse();
  RangesInUse(const RangesInUse&) = delete;
  RangesInUse& operator=(const RangesInUse&) = delete;

 private:
  std::vector<Buffer> opened_;
};

}  // namespace emulation::runtime
