#include "c_interface/arguments.h"

#include <cmath>
#include <cstdio>

namespace tyto::c_interface {
namespace {

// More than any machine has; sums of a few such sizes are far from overflow.
constexpr int64_t kMostBytes = int64_t{1} << 48;

[[noreturn]] void refuse(const std::string& text) { throw Refused{TYTO_LOSSES_BAD_ARGUMENT, text}; }

std::string text(double value) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%g", value);
  return buffer;
}

std::string address(const void* p) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%p", p);
  return buffer;
}

// The product, or -1 beyond `most`.
int64_t product(Arguments::Extents extents, int64_t most) {
  int64_t count = 1;
  for (const int64_t extent : extents)
    if (extent == 0) return 0;
  for (const int64_t extent : extents)
    if (__builtin_mul_overflow(count, extent, &count) || count > most) return -1;
  return count;
}

std::string shape(Arguments::Extents extents) {
  std::string found = "[";
  for (const int64_t extent : extents) found += (found.size() > 1 ? ", " : "") + std::to_string(extent);
  return found + "]";
}

int code_of(kernels::LossStatus status) {
  switch (kernels::fault_of(status)) {
    case kernels::LossFault::None:
      return TYTO_LOSSES_OK;
    case kernels::LossFault::Box:
      return TYTO_LOSSES_DEGENERATE_BOX;
    case kernels::LossFault::Label:
      return TYTO_LOSSES_LABEL_OUT_OF_RANGE;
    case kernels::LossFault::NotFinite:
      return TYTO_LOSSES_NOT_FINITE;
  }
  return TYTO_LOSSES_INTERNAL;
}

}  // namespace

Arguments::Arguments(int32_t elements, int32_t device, bool built_with_cuda, bool arrays)
    : cuda_(device == TYTO_ON_CUDA), arrays_(arrays) {
  if (elements < TYTO_DOUBLE || elements > TYTO_BFLOAT16)
    refuse("elements is " + std::to_string(elements) +
           "; it must be TYTO_DOUBLE, TYTO_FLOAT, TYTO_HALF or TYTO_BFLOAT16");
  element_bytes_ = elements == TYTO_DOUBLE ? 8 : elements == TYTO_FLOAT ? 4 : 2;
  real_bytes_ = elements == TYTO_DOUBLE ? 8 : 4;
  if (device != TYTO_ON_CPU && device != TYTO_ON_CUDA)
    refuse("device is " + std::to_string(device) + "; it must be TYTO_ON_CPU or TYTO_ON_CUDA");
  if (cuda_ && !built_with_cuda)
    throw Refused{TYTO_LOSSES_UNSUPPORTED,
                  "device is TYTO_ON_CUDA, but this library was built without CUDA; build tyto where CMake "
                  "finds the toolkit"};
}

void Arguments::reals_alone() const {
  if (element_bytes_ != real_bytes_)
    refuse("elements is TYTO_HALF or TYTO_BFLOAT16, but this function takes TYTO_DOUBLE or TYTO_FLOAT alone");
}

void Arguments::floats_alone() const {
  if (element_bytes_ == 8)
    refuse("elements is TYTO_DOUBLE, but this function takes TYTO_FLOAT, TYTO_HALF or TYTO_BFLOAT16 alone");
}

void Arguments::size(const char* name, int64_t value, int64_t least) const {
  if (value < least)
    refuse(std::string(name) + " is " + std::to_string(value) + "; it must be at least " +
           std::to_string(least));
  if (value > kMostBytes)
    refuse(std::string(name) + " is " + std::to_string(value) + ", more than any memory holds");
}

void Arguments::below(const char* expression, Extents extents, int64_t limit) const {
  if (product(extents, limit - 1) < 0)
    refuse(std::string(expression) + " must be less than " + std::to_string(limit) + ", but the sizes are " +
           shape(extents));
}

void Arguments::number(const char* name, double value, double least, double most) const {
  if (!std::isfinite(value)) refuse(std::string(name) + " is " + text(value) + "; it must be finite");
  if (value < least)
    refuse(std::string(name) + " is " + text(value) + "; it must be at least " + text(least));
  if (value > most) refuse(std::string(name) + " is " + text(value) + "; it must be at most " + text(most));
}

void Arguments::positive(const char* name, double value) const {
  number(name, value);
  if (value <= 0) refuse(std::string(name) + " is " + text(value) + "; it must be greater than 0");
}

void Arguments::whole(const char* name, double value, double least) const {
  number(name, value, least);
  if (value != std::floor(value)) refuse(std::string(name) + " is " + text(value) + "; it must be whole");
}

void check_choice(const char* name, int32_t value, int32_t choices) {
  if (value < 0 || value >= choices)
    refuse(std::string(name) + " is " + std::to_string(value) + "; it must be one of 0 to " +
           std::to_string(choices - 1));
}

void Arguments::optional(const char* name, const void* p, Extents extents, int64_t bytes,
                         int64_t together) const {
  if (product(extents, kMostBytes / bytes) < 0)
    refuse(std::string(name) + " would be " + shape(extents) + ", more than any memory holds");
  const int64_t alignment = cuda_ ? bytes * together : bytes;
  if (arrays_ && reinterpret_cast<uintptr_t>(p) % static_cast<uintptr_t>(alignment) != 0)
    refuse(std::string(name) + " is at " + address(p) + "; it must be aligned to " +
           std::to_string(alignment) + " bytes");
}

void Arguments::array(const char* name, const void* p, Extents extents, int64_t bytes,
                      int64_t together) const {
  optional(name, p, extents, bytes, together);
  if (arrays_ && p == nullptr && product(extents, kMostBytes) != 0)
    refuse(std::string(name) + " is null; it must have " + shape(extents) + " elements");
}

void check_desc_size(size_t given, size_t ours) {
  if (given < ours)
    refuse("desc.size is " + std::to_string(given) + " and must be " + std::to_string(ours) +
           "; the defaults function sets it");
  if (given > ours)
    refuse("desc.size is " + std::to_string(given) + " and this library knows " + std::to_string(ours) +
           "; the program was built with a newer header");
}

void check_workspace(const void* workspace, size_t bytes, int64_t needed) {
  if (bytes < static_cast<size_t>(needed))
    refuse("workspace_bytes is " + std::to_string(bytes) + ", but these sizes need " +
           std::to_string(needed));
  if (workspace == nullptr && needed > 0)
    refuse("workspace is null; it must have " + std::to_string(needed) + " bytes");
}

int outcome(kernels::LossStatus status, char* error, size_t error_size) {
  if (error != nullptr && error_size > 0)
    std::snprintf(error, error_size, "%s", kernels::describe(status).c_str());
  return code_of(status);
}

int refusal(int code, const FunctionName& function, const char* text, char* error,
            size_t error_size) noexcept {
  if (error != nullptr && error_size > 0)
    std::snprintf(error, error_size, "%s%s: %s", function.loss, function.ending, text);
  return code;
}

}  // namespace tyto::c_interface
