// The runtime's C functions for copies and memsets.
//
// A copy reads its source when it runs, not when it is asked for. What CUDA's "API synchronization behavior"
// leaves open is left open here: a copy within the device and a memset return at once, and so does a copy
// from pageable memory to the device, whose source was staged but need not have arrived.
#include <cuda_runtime_api.h>

#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "emulation/runtime/call.h"
#include "emulation/runtime/device.h"
#include "emulation/runtime/memory.h"
#include "emulation/runtime/stream.h"

namespace emulation::runtime {
namespace {

struct Extent {
  size_t width = 0, height = 1;  // bytes, rows

  size_t bytes() const { return width * height; }
};

struct Side {
  std::byte* data = nullptr;
  size_t pitch = 0;  // bytes from row to row

  std::byte* row(size_t y) const { return data + y * pitch; }
};

Side side(const void* data, size_t pitch) {
  return {static_cast<std::byte*>(const_cast<void*>(data)), pitch};
}

std::vector<Range> rows(const Side& side, const Extent& extent) {
  if (side.pitch == extent.width) return {{side.data, extent.bytes()}};
  std::vector<Range> ranges;
  for (size_t y = 0; y < extent.height; ++y) ranges.push_back({side.row(y), extent.width});
  return ranges;
}

void copy_rows(const Side& to, const Side& from, const Extent& extent) {
  for (size_t y = 0; y < extent.height; ++y) std::memmove(to.row(y), from.row(y), extent.width);
}

[[noreturn]] void fault_now(int device, const std::string& sentence) {
  fault(device, sentence);
  refuse(sticky_error(device));
}

enum class Place { Device, Pinned, Pageable };

Place place_of(const Side& side) {
  const Buffer* buffer = buffer_at(side.data);
  return !buffer ? Place::Pageable : buffer->space == Space::Device ? Place::Device : Place::Pinned;
}

// The rows, which are known to the machine: none of pageable memory. Whatever of them may not be touched is a
// fault.
std::vector<Range> known_rows(const std::string& name, const Side& side, const Extent& extent, int device) {
  if (place_of(side) == Place::Pageable && !is_released(side.data)) return {};
  std::vector<Range> ranges = rows(side, extent);
  for (const Range& range : ranges)
    if (const std::string reason = objection(range, device); !reason.empty())
      fault_now(device, name + " " + reason);
  return ranges;
}

bool agrees(cudaMemcpyKind kind, Place to, Place from) {
  const bool to_device = to == Place::Device, from_device = from == Place::Device;
  switch (kind) {
    case cudaMemcpyHostToHost:
      return !to_device && !from_device;
    case cudaMemcpyHostToDevice:
      return to_device && !from_device;
    case cudaMemcpyDeviceToHost:
      return !to_device && from_device;
    case cudaMemcpyDeviceToDevice:
      return to_device && from_device;
    case cudaMemcpyDefault:
      return true;
  }
  refuse(cudaErrorInvalidMemcpyDirection);
}

struct Copy {
  Side to, from;
  Extent extent;
  cudaMemcpyKind kind = cudaMemcpyDefault;
  bool asynchronous = false;
};

Work work_of(const std::string& name, const Copy& copy, int device) {
  return {name,
          known_rows(name, copy.from, copy.extent, device),
          known_rows(name, copy.to, copy.extent, device),
          [copy] {
            ++counts().copies;
            copy_rows(copy.to, copy.from, copy.extent);
          },
          /*bounded=*/true,
          /*takes_what_is_there=*/place_of(copy.to) != Place::Device};
}

void wait_for_last(const CUstream_st& stream) {
  ++counts().host_synchronisations;
  wait_for(stream.last);
}

// The source may be changed at once; its bytes go to the device when they go.
void copy_staged(CUstream_st& stream, const std::string& name, const Copy& copy) {
  Work work{name, {}, known_rows(name, copy.to, copy.extent, stream.device), {}, /*bounded=*/true};
  append(stream, {});
  wait_for_last(stream);
  auto staged = std::make_shared<std::vector<std::byte>>(copy.extent.bytes());
  const Side stage{staged->data(), copy.extent.width};
  copy_rows(stage, copy.from, copy.extent);
  work.run = [staged, stage, copy] {
    ++counts().copies;
    copy_rows(copy.to, stage, copy.extent);
  };
  append(stream, std::move(work));
}

cudaError_t transfer(const char* call_name, const Copy& copy, cudaStream_t handle) {
  return call(call_name, [&] {
    require(copy.to.pitch >= copy.extent.width && copy.from.pitch >= copy.extent.width,
            cudaErrorInvalidPitchValue);
    if (!copy.asynchronous) refuse_in_capture();
    CUstream_st& stream = stream_of(handle);
    if (copy.extent.bytes() == 0) return;
    const std::string name = std::string(call_name) + " of " + std::to_string(copy.extent.bytes()) + " bytes";
    const Place to = place_of(copy.to), from = place_of(copy.from);
    Work work = work_of(name, copy, stream.device);
    require(agrees(copy.kind, to, from), cudaErrorInvalidValue);
    if (copy.asynchronous) {
      if (to == Place::Pageable || from == Place::Pageable)
        fault_now(stream.device, name + " is no asynchronous copy: its " +
                                     (from == Place::Pageable ? "source" : "destination") + " is not pinned");
      append(stream, std::move(work));
    } else if (to == Place::Device && from == Place::Pageable) {
      copy_staged(stream, name, copy);
    } else {
      append(stream, std::move(work));
      if (to != Place::Device || from != Place::Device) wait_for_last(stream);
    }
  });
}

cudaError_t set(const char* call_name, const Side& to, int value, const Extent& extent, cudaStream_t handle) {
  return call(call_name, [&] {
    require(to.pitch >= extent.width, cudaErrorInvalidPitchValue);
    CUstream_st& stream = stream_of(handle);
    if (extent.bytes() == 0) return;
    const std::string name = std::string(call_name) + " of " + std::to_string(extent.bytes()) + " bytes";
    std::vector<Range> writes = known_rows(name, to, extent, stream.device);
    require(!writes.empty(), cudaErrorInvalidValue);  // pageable memory
    const auto set_rows = [=] {
      ++counts().copies;
      for (size_t y = 0; y < extent.height; ++y) std::memset(to.row(y), value, extent.width);
    };
    append(stream, {name, {}, std::move(writes), set_rows, /*bounded=*/true});
  });
}

}  // namespace
}  // namespace emulation::runtime

using namespace emulation::runtime;

extern "C" {

cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  return transfer("cudaMemcpy", {side(to, bytes), side(from, bytes), {bytes}, kind}, nullptr);
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  return transfer("cudaMemcpyAsync", {side(to, bytes), side(from, bytes), {bytes}, kind, true}, stream);
}

cudaError_t cudaMemcpy2D(void* to, size_t to_pitch, const void* from, size_t from_pitch, size_t width,
                         size_t height, cudaMemcpyKind kind) {
  return transfer("cudaMemcpy2D", {side(to, to_pitch), side(from, from_pitch), {width, height}, kind},
                  nullptr);
}

cudaError_t cudaMemcpy2DAsync(void* to, size_t to_pitch, const void* from, size_t from_pitch, size_t width,
                              size_t height, cudaMemcpyKind kind, cudaStream_t stream) {
  return transfer("cudaMemcpy2DAsync",
                  {side(to, to_pitch), side(from, from_pitch), {width, height}, kind, true}, stream);
}

cudaError_t cudaMemset(void* to, int value, size_t bytes) {
  return set("cudaMemset", side(to, bytes), value, {bytes}, nullptr);
}

cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t stream) {
  return set("cudaMemsetAsync", side(to, bytes), value, {bytes}, stream);
}

}  // extern "C"
