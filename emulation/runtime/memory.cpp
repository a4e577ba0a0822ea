#include "emulation/runtime/memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <deque>
#include <map>
#include <set>
#include <utility>

#include "emulation/runtime/accesses.h"
#include "emulation/runtime/device.h"
#include "emulation/runtime/trap.h"
#include "emulation/sanitizer.h"

namespace emulation::runtime {
namespace {

constexpr size_t kRedzone = 256;  // at least; also the alignment that cudaMalloc promises
constexpr int kFresh = 0xff;
constexpr int kUntouched = 0xa5;  // a redzone's bytes
constexpr size_t kGraves = 1024;  // released buffers whose addresses are not given out again

struct Memory {
  std::map<std::uintptr_t, Buffer> live;  // by address
  std::deque<Buffer> released;
  int64_t numbers = 0;
  int works = -1;                          // device whose memory may be touched
  std::map<std::uintptr_t, bool> touched;  // its pages that were, and whether they were written
};

Memory& memory() {
  static Memory memory;
  return memory;
}

std::uintptr_t position(const void* address) { return reinterpret_cast<std::uintptr_t>(address); }

bool holds(const Buffer& buffer, const void* address) {
  return position(address) >= position(buffer.data) &&
         position(address) < position(buffer.data) + buffer.bytes;
}

bool holds_with_redzones(const Buffer& buffer, const void* address) {
  return position(address) >= position(buffer.mapping) &&
         position(address) < position(buffer.mapping) + buffer.mapped;
}

std::uintptr_t page_bytes() {
  static const auto bytes = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  return bytes;
}

// The live buffer whose pages hold the address, or null.
const Buffer* mapped_at(const void* address) {
  const auto next = memory().live.upper_bound(position(address) + kRedzone);
  if (next == memory().live.begin()) return nullptr;
  const Buffer& buffer = std::prev(next)->second;
  return buffer.mapping != nullptr && holds_with_redzones(buffer, address) ? &buffer : nullptr;
}

struct Redzone {
  std::byte* begin;
  std::byte* end;
};
Redzone front(const Buffer& buffer) { return {buffer.mapping, buffer.data}; }
Redzone back(const Buffer& buffer) { return {buffer.data + buffer.bytes, buffer.mapping + buffer.mapped}; }

void fill(const Redzone& zone) {
  std::memset(zone.begin, kUntouched, static_cast<size_t>(zone.end - zone.begin));
}

bool untouched(const Redzone& zone) {  // all bytes equal their neighbour, and the first is right
  const size_t bytes = static_cast<size_t>(zone.end - zone.begin);
  return zone.begin[0] == std::byte{kUntouched} && std::memcmp(zone.begin, zone.begin + 1, bytes - 1) == 0;
}

bool changed(std::byte value) { return value != std::byte{kUntouched}; }

std::string text(int64_t bytes) { return std::to_string(bytes) + (bytes == 1 ? " byte" : " bytes"); }

void check_redzones(const Buffer& buffer, const std::string& culprit) {
  if (kAddressSanitizer || buffer.mapping == nullptr) return;
  const Redzone before = front(buffer), after = back(buffer);
  if (!untouched(before)) {
    const std::byte* first = std::find_if(before.begin, before.end, changed);
    fault(buffer.device,
          culprit + " wrote " + text(before.end - first) + " before the start of " + name_of(buffer));
    fill(before);
  }
  if (!untouched(after)) {
    std::byte* last = after.end;
    while (!changed(last[-1])) --last;
    fault(buffer.device,
          culprit + " wrote up to " + text(last - after.begin) + " past the end of " + name_of(buffer));
    fill(after);
  }
}

// To touch the buffer is an error until it is opened.
void close(const Buffer& buffer) {
  if (kAddressSanitizer)
    forbid(buffer.data, buffer.bytes);
  else
    mprotect(buffer.mapping, buffer.mapped, PROT_NONE);
}

void open(const Buffer& buffer) {
  if (kAddressSanitizer)
    allow(buffer.data, buffer.bytes);
  else
    mprotect(buffer.mapping, buffer.mapped, PROT_READ | PROT_WRITE);
}

void for_all_of(int device, void (*act)(const Buffer&)) {
  for (const auto& [address, buffer] : memory().live)
    if (buffer.space == Space::Device && buffer.device == device) act(buffer);
}

std::set<const Buffer*> touched_buffers() {
  std::set<const Buffer*> buffers;
  for (const auto& [page, written] : memory().touched)
    if (const Buffer* buffer = mapped_at(reinterpret_cast<const void*>(page))) buffers.insert(buffer);
  return buffers;
}

const Buffer& keep(const Buffer& buffer) {
  if (Observer* told = observer()) told->allocated(buffer.data, buffer.bytes, buffer.space, buffer.device);
  return memory().live[position(buffer.data)] = buffer;
}

}  // namespace

std::string name_of(const Buffer& buffer) {
  return (buffer.space == Space::Device ? "device buffer " : "pinned buffer ") +
         std::to_string(buffer.number) + " (" + text(static_cast<int64_t>(buffer.bytes)) + ")";
}

const Buffer* allocate(Space space, int device, size_t bytes) {
  if (space == Space::Device && bytes > static_cast<size_t>(device_memory()) - bytes_in_use(device))
    return nullptr;
  const size_t page = page_bytes(), mapped = (bytes + 2 * kRedzone + page - 1) / page * page;
  void* mapping =
      mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED) return nullptr;
  install_trap();

  Buffer buffer;
  buffer.mapping = static_cast<std::byte*>(mapping);
  buffer.mapped = mapped;
  buffer.data = buffer.mapping + kRedzone;
  buffer.bytes = bytes;
  buffer.space = space;
  buffer.device = device;
  buffer.number = ++memory().numbers;
  std::memset(buffer.data, kFresh, bytes);
  for (const Redzone& zone : {front(buffer), back(buffer)}) {
    fill(zone);
    forbid(zone.begin, static_cast<size_t>(zone.end - zone.begin));
  }
  if (space == Space::Device) close(buffer);
  return &keep(buffer);
}

const Buffer* register_host(void* data, size_t bytes, int device) {
  const auto next = memory().live.lower_bound(position(data));
  if (buffer_at(data) != nullptr || (next != memory().live.end() && next->first < position(data) + bytes))
    return nullptr;
  Buffer buffer;
  buffer.data = static_cast<std::byte*>(data);
  buffer.bytes = bytes;
  buffer.space = Space::Pinned;
  buffer.device = device;
  buffer.number = ++memory().numbers;
  return &keep(buffer);
}

void release(const Buffer& released) {
  const Buffer buffer = released;
  memory().live.erase(position(buffer.data));
  forget_accesses({buffer.data, buffer.bytes});
  if (Observer* told = observer()) told->freed(buffer.data);
  if (buffer.mapping == nullptr) return;
  open(buffer);
  check_redzones(buffer, "host code");
  close(buffer);
  madvise(buffer.mapping, buffer.mapped, MADV_DONTNEED);
  memory().released.push_back(buffer);
  if (memory().released.size() > kGraves) {
    const Buffer& oldest = memory().released.front();
    allow(oldest.mapping, oldest.mapped);
    munmap(oldest.mapping, oldest.mapped);
    memory().released.pop_front();
  }
}

const Buffer* buffer_at(const void* address) {
  auto next = memory().live.upper_bound(position(address));
  if (next == memory().live.begin()) return nullptr;
  const Buffer& buffer = std::prev(next)->second;
  return holds(buffer, address) ? &buffer : nullptr;
}

bool is_released(const void* address) {
  const auto& released = memory().released;
  return !buffer_at(address) && std::any_of(released.begin(), released.end(),
                                            [&](const Buffer& buffer) { return holds(buffer, address); });
}

size_t bytes_in_use(int device) {
  size_t bytes = 0;
  for (const auto& [address, buffer] : memory().live)
    if (buffer.space == Space::Device && buffer.device == device) bytes += buffer.bytes;
  return bytes;
}

std::string objection(const Range& range, int device) {
  if (range.bytes == 0) return "";
  if (const Buffer* buffer = buffer_at(range.data)) {
    if (buffer->space == Space::Device && buffer->device != device)
      return "reaches into " + name_of(*buffer) + " of device " + std::to_string(buffer->device) +
             " while device " + std::to_string(device) + " works";
    const size_t room = buffer->bytes - (position(range.data) - position(buffer->data));
    if (range.bytes <= room) return "";
    return "reaches " + text(static_cast<int64_t>(range.bytes - room)) + " past the end of " +
           name_of(*buffer);
  }
  for (const Buffer& buffer : memory().released)
    if (holds(buffer, range.data)) return "reaches into " + name_of(buffer) + ", which is released";
  return "reaches into no buffer";
}

DeviceWorks::DeviceWorks(int device) : outer_(std::exchange(memory().works, device)) {
  if (kAddressSanitizer && outer_ < 0) for_all_of(device, open);
}

DeviceWorks::~DeviceWorks() {
  if (kAddressSanitizer && outer_ < 0) for_all_of(memory().works, close);
  for (const Buffer* buffer : touched_buffers()) close(*buffer);
  memory().touched.clear();
  memory().works = outer_;
}

DeviceWorks::Touched DeviceWorks::touched() const {
  Touched ranges;
  for (const auto& [page, written] : memory().touched) {
    const Buffer* buffer = mapped_at(reinterpret_cast<const void*>(page));
    if (!buffer) continue;  // released by the work itself
    const auto begin = std::max(page, position(buffer->data)),
               end = std::min(page + page_bytes(), position(buffer->data) + buffer->bytes);
    if (begin >= end) continue;  // redzone
    (written ? ranges.writes : ranges.reads).push_back({reinterpret_cast<const void*>(begin), end - begin});
  }
  return ranges;
}

void DeviceWorks::check_redzones(const std::string& culprit) const {
  for (const Buffer* buffer : touched_buffers()) {
    open(*buffer);
    runtime::check_redzones(*buffer, culprit);
  }
  for (const auto& [address, buffer] : memory().live)
    if (buffer.space == Space::Pinned) runtime::check_redzones(buffer, culprit);
}

bool touch(const void* address, bool writes) {
  const Buffer* buffer = mapped_at(address);
  if (!buffer || buffer->space != Space::Device || buffer->device != memory().works) return false;
  const std::uintptr_t page = position(address) & ~(page_bytes() - 1);
  const auto [known, fresh] = memory().touched.try_emplace(page, writes);
  if (!fresh && (known->second || !writes)) return false;  // it is open: something else is wrong
  known->second = writes;
  mprotect(reinterpret_cast<void*>(page), page_bytes(), writes ? PROT_READ | PROT_WRITE : PROT_READ);
  return true;
}

RangesInUse::RangesInUse(std::span<const Range> reads, std::span<const Range> writes) {
  for (const auto ranges : {reads, writes})
    for (const Range& range : ranges) {
      const Buffer* buffer = buffer_at(range.data);
      if (!buffer || buffer->space != Space::Device) continue;
      if (kAddressSanitizer && buffer->device == memory().works) continue;  // all is open
      open(*buffer);
      opened_.push_back(*buffer);
    }
}

RangesInUse::~RangesInUse() {
  for (const Buffer& buffer : opened_) close(buffer);
}

std::string forbidden_buffer(const void* address) {
  for (const auto& [start, buffer] : memory().live)
    if (buffer.mapping != nullptr && holds_with_redzones(buffer, address))
      return name_of(buffer) + " of device " + std::to_string(buffer.device);
  for (const Buffer& buffer : memory().released)
    if (holds_with_redzones(buffer, address)) return name_of(buffer) + ", which is released";
  return "";
}

}  // namespace emulation::runtime
