// What is around every C function: the descriptor is read and checked, elements and device choose the kernel,
// the status word, where there is one, and exceptions become a code with its text.
//
// A function is a struct with
//   Desc, kName                             its descriptor, its function's name
//   Desc defaults()                         all but `size`
//   void check(const Desc&, Arguments&)     says every size, option and array, in the descriptor's order
//   int64_t workspace<T>(const Desc&, bool cuda)
//   void run<T>(const Desc&, const Call&)
// and TYTO_C_FUNCTIONS makes its three functions.
#pragma once

#include <algorithm>
#include <cstring>

#include "c_interface/arguments.h"
#include "kernels/common/element_types.h"
#include "kernels/common/stream.h"
#include "kernels/losses/loss.h"

namespace tyto::c_interface {

struct Call {
  bool cuda;
  void* workspace;
  kernels::Stream stream;
  kernels::LossStatus* status;
};

// A kernel of either device: TYTO_EITHER(circle_loss, T, features, options, output) in `call`.
#ifdef TYTO_C_INTERFACE_CUDA
inline constexpr bool kBuiltWithCuda = true;
#define TYTO_EITHER(loss, T, ...)                                         \
  (call.cuda ? kernels::loss<T>(__VA_ARGS__, call.workspace, call.stream) \
             : kernels::loss##_cpu<T>(__VA_ARGS__, call.workspace))
#define TYTO_EITHER_WORKSPACE(loss, T, ...) \
  (cuda ? kernels::loss##_workspace<T>(__VA_ARGS__) : kernels::loss##_cpu_workspace<T>(__VA_ARGS__))
#else
inline constexpr bool kBuiltWithCuda = false;
#define TYTO_EITHER(loss, T, ...) kernels::loss##_cpu<T>(__VA_ARGS__, call.workspace)
#define TYTO_EITHER_WORKSPACE(loss, T, ...) \
  (static_cast<void>(cuda), kernels::loss##_cpu_workspace<T>(__VA_ARGS__))
#endif

// f<T>() for the elements, which are known to be sound.
template <class F>
auto with_elements(int32_t elements, F f) {
  switch (elements) {
    case TYTO_DOUBLE:
      return f.template operator()<double>();
    case TYTO_FLOAT:
      return f.template operator()<float>();
    case TYTO_HALF:
      return f.template operator()<kernels::Half>();
    default:
      return f.template operator()<kernels::BFloat16>();
  }
}

// The same where halves are refused.
template <class F>
auto with_reals(int32_t elements, F f) {
  return elements == TYTO_DOUBLE ? f.template operator()<double>() : f.template operator()<float>();
}

// The same where doubles are.
template <class F>
auto with_floats(int32_t elements, F f) {
  switch (elements) {
    case TYTO_FLOAT:
      return f.template operator()<float>();
    case TYTO_HALF:
      return f.template operator()<kernels::Half>();
    default:
      return f.template operator()<kernels::BFloat16>();
  }
}

template <class Loss, class F>
auto with_elements_of(const typename Loss::Desc& desc, F f) {
  if constexpr (requires { Loss::kRealsAlone; })
    return with_reals(desc.elements, f);
  else if constexpr (requires { Loss::kFloatsAlone; })
    return with_floats(desc.elements, f);
  else
    return with_elements(desc.elements, f);
}

template <class Loss>
typename Loss::Desc read(const typename Loss::Desc* given, bool arrays) {
  if (given == nullptr) throw Refused{TYTO_LOSSES_BAD_ARGUMENT, "desc is null"};
  size_t size;
  std::memcpy(&size, given, sizeof size);
  check_desc_size(size, sizeof(typename Loss::Desc));
  typename Loss::Desc desc;
  std::memcpy(&desc, given, sizeof desc);
  Arguments arguments(desc.elements, desc.device, kBuiltWithCuda, arrays);
  if constexpr (requires { Loss::kRealsAlone; }) arguments.reals_alone();
  if constexpr (requires { Loss::kFloatsAlone; }) arguments.floats_alone();
  Loss::check(desc, arguments);
  return desc;
}

template <class Loss>
int64_t workspace_of(const typename Loss::Desc& desc) {
  return with_elements_of<Loss>(
      desc, [&]<class T> { return Loss::template workspace<T>(desc, desc.device == TYTO_ON_CUDA); });
}

template <class Loss>
void defaults(typename Loss::Desc* desc, size_t size) noexcept {
  if (desc == nullptr) return;
  typename Loss::Desc found = Loss::defaults();
  found.size = size;
  std::memcpy(desc, &found, std::min(size, sizeof found));
}

template <class Loss>
int workspace(const typename Loss::Desc* given, size_t* bytes, char* error, size_t error_size) noexcept {
  return answered({Loss::kName, "_workspace"}, error, error_size, [&] {
    const auto desc = read<Loss>(given, false);
    if (bytes == nullptr) throw Refused{TYTO_LOSSES_BAD_ARGUMENT, "bytes is null"};
    *bytes = static_cast<size_t>(workspace_of<Loss>(desc));
    return kernels::LossStatus{0};
  });
}

template <class Loss>
int call(const typename Loss::Desc* given, void* workspace, size_t workspace_bytes, void* stream, char* error,
         size_t error_size) noexcept {
  return answered({Loss::kName, ""}, error, error_size, [&] {
    const auto desc = read<Loss>(given, true);
    check_workspace(workspace, workspace_bytes, workspace_of<Loss>(desc));
    kernels::LossStatus found = 0;
    const bool cuda = desc.device == TYTO_ON_CUDA;
    Call about{cuda, workspace, static_cast<kernels::Stream>(stream), &found};
    // On the device uint64_t is another name of the same bits.
    if constexpr (requires { desc.status; })
      if (cuda) about.status = reinterpret_cast<kernels::LossStatus*>(desc.status);
    with_elements_of<Loss>(desc, [&]<class T> { Loss::template run<T>(desc, about); });
    if constexpr (requires { desc.status; })
      if (!cuda && desc.status != nullptr) *desc.status = std::max<uint64_t>(*desc.status, found);
    return found;
  });
}

#define TYTO_C_FUNCTIONS(name, Loss)                                                                        \
  extern "C" void name##_defaults(name##_desc* desc, size_t size) {                                         \
    tyto::c_interface::defaults<Loss>(desc, size);                                                          \
  }                                                                                                         \
  extern "C" int name##_workspace(const name##_desc* desc, size_t* bytes, char* error, size_t error_size) { \
    return tyto::c_interface::workspace<Loss>(desc, bytes, error, error_size);                              \
  }                                                                                                         \
  extern "C" int name(const name##_desc* desc, void* memory, size_t bytes, void* stream, char* error,       \
                      size_t error_size) {                                                                  \
    return tyto::c_interface::call<Loss>(desc, memory, bytes, stream, error, error_size);                   \
  }

// The input and the output of most losses, of a descriptor that names them as they do.
template <class T, class Desc>
kernels::LabelledRows<T> features_of(const Desc& desc) {
  return {static_cast<const T*>(desc.features), desc.labels, desc.rows, desc.width};
}

template <class T, class Desc>
kernels::LossOutput<T> output_of(const Desc& desc, const Call& call) {
  return {static_cast<kernels::Computed<T>*>(desc.value), static_cast<T*>(desc.gradient), desc.scale,
          call.status};
}

}  // namespace tyto::c_interface
