// The arguments of a C function, refused one by one in a sentence that names the argument.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <initializer_list>
#include <limits>
#include <string>

#include <tyto_losses.h>  // the codes of every library

#include "kernels/common/device_error.h"
#include "kernels/losses/loss_status.h"

namespace tyto::c_interface {

struct Refused {
  int code;
  std::string text;
};

inline constexpr int64_t kIndexed = int64_t{1} << 31;  // what kernels count in 32 bits stays below it

void check_choice(const char* name, int32_t value, int32_t choices);  // one of 0 to choices - 1

class Arguments {
 public:
  using Extents = std::initializer_list<int64_t>;

  // Refuses elements and devices that there are not.
  Arguments(int32_t elements, int32_t device, bool built_with_cuda, bool arrays);
  void reals_alone() const;
  void floats_alone() const;

  // Bytes of an element of inputs and gradients, and of what is `real`.
  int64_t element_bytes() const { return element_bytes_; }
  int64_t real_bytes() const { return real_bytes_; }

  void size(const char* name, int64_t, int64_t least = 0) const;
  // The product of sizes that were checked is below the limit.
  void below(const char* expression, Extents, int64_t limit = kIndexed) const;
  void number(const char* name, double, double least = -std::numeric_limits<double>::max(),
              double most = std::numeric_limits<double>::max()) const;
  void positive(const char* name, double) const;
  void whole(const char* name, double, double least) const;
  void choice(const char* name, int32_t value, int32_t choices) const { check_choice(name, value, choices); }
  void flag(const char* name, int32_t value) const { check_choice(name, value, 2); }

  // An array of these extents, which the caller must give unless it has no elements. Its size is checked
  // always, the pointer where a call is to be made. On CUDA its alignment is that of `together` elements,
  // which a kernel loads at once.
  void array(const char* name, const void*, Extents, int64_t bytes, int64_t together = 1) const;
  void optional(const char* name, const void*, Extents, int64_t bytes, int64_t together = 1) const;

  // Short for them.
  void elements(const char* name, const void* p, Extents e, int64_t together = 1) const {
    array(name, p, e, element_bytes_, together);
  }
  void reals(const char* name, const void* p, Extents e, int64_t together = 1) const {
    array(name, p, e, real_bytes_, together);
  }
  void integers(const char* name, const int32_t* p, Extents e) const { array(name, p, e, sizeof *p); }
  void gradient(const char* name, const void* p, Extents e, int64_t together = 1) const {
    optional(name, p, e, element_bytes_, together);
  }
  // `value` [values], `scale` and `status`.
  template <class Desc>
  void outcome(const Desc& desc, int64_t values) const {
    reals("value", desc.value, {values});
    number("scale", desc.scale);
    status(desc.status);
  }
  void status(const uint64_t* p) const { optional("status", p, {1}, sizeof *p); }

 private:
  int64_t element_bytes_ = 0, real_bytes_ = 0;
  bool cuda_, arrays_;
};

void check_desc_size(size_t given, size_t ours);
void check_workspace(const void* workspace, size_t bytes, int64_t needed);

struct FunctionName {
  const char *loss, *ending;
};

// "function: text", shortened to what fits; returns the code.
int refusal(int code, const FunctionName&, const char* text, char* error, size_t error_size) noexcept;

// The code of a fault, and its text alone.
int outcome(kernels::LossStatus, char* error, size_t error_size);

// What `compute` returns, a status, or throws, as a code and its text.
template <class F>
int answered(const FunctionName& function, char* error, size_t error_size, F compute) noexcept {
  try {
    return outcome(compute(), error, error_size);
  } catch (const Refused& refused) {
    return refusal(refused.code, function, refused.text.c_str(), error, error_size);
  } catch (const kernels::DeviceError& e) {
    return refusal(TYTO_LOSSES_DEVICE, function, e.what(), error, error_size);
  } catch (const std::exception& e) {
    return refusal(TYTO_LOSSES_INTERNAL, function, e.what(), error, error_size);
  } catch (...) {
    return refusal(TYTO_LOSSES_INTERNAL, function, "an unknown fault", error, error_size);
  }
}

}  // namespace tyto::c_interface
