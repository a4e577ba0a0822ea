#include "emulation/shared_arena.h"

#include <algorithm>
#include <new>

#include "emulation/observer.h"
#include "emulation/sanitizer.h"

namespace emulation {
namespace {

constexpr size_t kAlignment = 128;  // one row of banks
constexpr size_t kRedzone = 512;
constexpr std::byte kPoison{0xFF};
constexpr std::byte kUntouched{
    0xFD};  // in the redzones: a NaN as fp16, huge as fp32, and nothing that code would write

}  // namespace

void SharedArena::Array::Free::operator()(std::byte* memory) const {
  operator delete(memory, std::align_val_t(kAlignment));
}

SharedArena::Array::Array(const void* at, size_t size, const char* called, Where from)
    : site(at),
      bytes(size),
      name(called),
      where(from),
      memory_(static_cast<std::byte*>(operator new(size + 2 * kRedzone, std::align_val_t(kAlignment)))) {
  std::fill_n(memory_.get(), kRedzone, kUntouched);
  std::fill_n(memory_.get() + kRedzone + bytes, kRedzone, kUntouched);
  forbid(memory_.get(), kRedzone);
  forbid(memory_.get() + kRedzone + bytes, kRedzone);
}

SharedArena::Array::~Array() {
  if (memory_) allow(memory_.get(), bytes + 2 * kRedzone);
}

void* SharedArena::Array::data() const { return memory_.get() + kRedzone; }

void SharedArena::Array::begin_block() {
  in_use = true;
  std::fill_n(static_cast<std::byte*>(data()), bytes, kPoison);
  if (observer()) observer()->allocated(data(), bytes, Space::Shared, 0);
}

bool SharedArena::Array::end_block() {
  if (!in_use) return true;
  in_use = false;
  if (observer()) observer()->freed(data());
  if (kAddressSanitizer) return true;  // has seen to it
  const auto untouched = [](const std::byte* redzone) {
    return std::all_of(redzone, redzone + kRedzone, [](std::byte b) { return b == kUntouched; });
  };
  return untouched(memory_.get()) && untouched(memory_.get() + kRedzone + bytes);
}

void* SharedArena::use(const void* site, size_t bytes, const char* name, Where where) {
  auto array = std::find_if(arrays_.begin(), arrays_.end(), [&](const Array& a) { return a.site == site; });
  if (array == arrays_.end()) {
    arrays_.emplace_back(site, bytes, name, where);
    array = arrays_.end() - 1;
  }
  if (!array->in_use) array->begin_block();
  return array->data();
}

void* SharedArena::array(const void* site, size_t bytes, const char* name, Where where) {
  const size_t known = arrays_.size();
  void* data = use(site, bytes, name, where);
  if (arrays_.size() > known) static_bytes_ += bytes;
  return data;
}

void* SharedArena::dynamic(const char* name, Where where) {
  return use(nullptr, dynamic_bytes_, name, where);
}

bool SharedArena::holds(const void* address) const {
  return std::ranges::any_of(arrays_, [&](const Array& a) {
    return a.in_use && address >= a.data() && address < static_cast<std::byte*>(a.data()) + a.bytes;
  });
}

std::string SharedArena::end_block() {
  std::string overrun;
  for (Array& array : arrays_)
    if (!array.end_block())
      overrun = "wrote beyond the ends of shared array '" + std::string(array.name) + "' of " +
                std::to_string(array.bytes) + " bytes (" + text(array.where) + ")";
  return overrun;
}

}  // namespace emulation
