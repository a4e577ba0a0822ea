// The arrays of a call as its kernels take them. The kernels of operators on the CPU know float alone, those
// of regions and of position attention want the channels in a place of their own: what stands otherwise goes
// through the workspace.
//
// One function asks for every array and computes; where it only measures, it ends before the kernels.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "c_interface/frame.h"
#include "kernels/attention/attention.h"
#include "kernels/common/host_elements.h"
#include "kernels/common/workspace.h"
#ifdef TYTO_C_INTERFACE_CUDA
#include "kernels/layout/convert.h"
#include "kernels/layout/nchw_to_nhwc.h"
#include "kernels/layout/nhwc_to_nchw.h"
#endif

namespace tyto::c_interface {

// `items` of so many channels of so many places: channels first as the caller has them, where they are
// turned.
struct Planes {
  int64_t items, channels, places;
  bool channels_first = false;

  int64_t elements() const { return items * channels * places; }
};

// Where a kernel writes, and what becomes of it.
template <class C, class T>
struct Staged {
  C* at;
  T* given;
  T* between;
  Planes planes;
};

class Staging {
 public:
  explicit Staging(bool cuda) : cuda_(cuda), measures_(true) {}
  explicit Staging(const Call& call)
      : memory_(call.workspace), stream_(call.stream), cuda_(call.cuda), measures_(false) {}

  bool cuda() const { return cuda_; }
  bool measures() const { return measures_; }
  kernels::Stream stream() const { return stream_; }
  int64_t bytes() const { return memory_.bytes(); }

  template <class C>
  C* take(int64_t count) {
    return reinterpret_cast<C*>(memory_.take<char>(count * kBytes<C>));
  }

  void* take_bytes(int64_t count) { return memory_.take<char>(count); }

  // As C, channels last. Null stays null.
  template <class C, class T>
  const C* in(const T* given, const Planes& p) {
    if (is_as_given<C, T>(p)) return as<const C>(given);
    C* const to = take<C>(p.elements());
    [[maybe_unused]] C* const between = goes_twice<C, T>(p) ? take<C>(p.elements()) : nullptr;
    if (given == nullptr) return nullptr;
    if (measures_ || p.elements() == 0) return to;
#ifdef TYTO_C_INTERFACE_CUDA
    if (cuda_) {
      const kernels::Nhwc<C> turned = {to, p.items, p.places, 1, p.channels};
      if constexpr (std::is_same_v<C, T>) {
        kernels::nchw_to_nhwc<T, C>(given, p.channels, turned, stream_);
      } else if constexpr (std::is_same_v<C, float>) {
        kernels::convert<T, C>(given, p.elements(), between ? between : to, stream_);
        if (between) kernels::nchw_to_nhwc<C, C>(between, p.channels, turned, stream_);
      }
      return to;
    }
#endif
    copy(given, p.items, p.channels_first ? p.channels : 1,
         p.channels_first ? p.places : p.channels * p.places, to);
    return to;
  }

  // Of what the kernel is to write as C, channels last; deliver() brings it to the caller's.
  template <class C, class T>
  Staged<C, T> out(T* given, const Planes& p) {
    if (is_as_given<C, T>(p)) return {as<C>(given), given, nullptr, p};
    C* const at = take<C>(p.elements());
    T* const between = goes_twice<C, T>(p) ? take<T>(p.elements()) : nullptr;
    return {given == nullptr ? nullptr : at, given, between, p};
  }
  template <class C, class T>
  void deliver(const Staged<C, T>& result) {
    const Planes& p = result.planes;
    if (is_as_given<C, T>(p) || result.given == nullptr || p.elements() == 0) return;
#ifdef TYTO_C_INTERFACE_CUDA
    if (cuda_) {
      const auto turn = [&](const T* from) {
        kernels::nhwc_to_nchw<T>({from, p.items, p.places, 1, p.channels}, result.given, stream_);
      };
      if constexpr (std::is_same_v<C, T>) {
        turn(result.at);
      } else if constexpr (std::is_same_v<C, float>) {
        T* const to = result.between ? result.between : result.given;
        kernels::convert<C, T>(result.at, p.elements(), to, stream_);
        if (result.between) turn(result.between);
      }
      return;
    }
#endif
    copy(result.at, p.items, p.channels_first ? p.places : 1,
         p.channels_first ? p.channels : p.channels * p.places, result.given);
  }

  // Rows of tokens of which the first `used` elements count.
  template <class C, class T>
  kernels::Tokens<const C> in(const kernels::Tokens<const T>& given, int64_t tokens, int64_t used) {
    if constexpr (std::is_same_v<C, T>) {
      return given;
    } else {
      C* const to = take<C>(tokens * used);
      if (!measures_ && given.data) copy_rows(given.data, given.stride, tokens, used, to, used);
      return {given.data ? to : nullptr, used};
    }
  }
  template <class C, class T>
  kernels::Tokens<C> out(const kernels::Tokens<T>& given, int64_t tokens, int64_t used) {
    if constexpr (std::is_same_v<C, T>) {
      return given;
    } else {
      C* const at = take<C>(tokens * used);
      return {given.data ? at : nullptr, used};
    }
  }
  template <class C, class T>
  void deliver(const kernels::Tokens<C>& result, const kernels::Tokens<T>& given, int64_t tokens,
               int64_t used) {
    if constexpr (!std::is_same_v<C, T>)
      if (given.data) copy_rows(result.data, used, tokens, used, given.data, given.stride);
  }

 private:
  template <class C>
  static constexpr int64_t kBytes = std::is_same_v<C, double>                                ? 8
                                    : std::is_same_v<C, float> || std::is_same_v<C, int32_t> ? 4
                                                                                             : 2;

  template <class C, class T>
  static bool is_as_given(const Planes& p) {
    return std::is_same_v<C, T> && !p.channels_first;
  }
  // On CUDA kernels turn what they do not convert, and the other way around.
  template <class C, class T>
  bool goes_twice(const Planes& p) const {
    return cuda_ && !std::is_same_v<C, T> && p.channels_first;
  }
  // Of types that are the same where this is called.
  template <class C, class T>
  static C* as(T* given) {
    if constexpr (std::is_same_v<std::remove_const_t<C>, std::remove_const_t<T>>)
      return given;
    else
      return nullptr;
  }

  // to[i, b, a] = from[i, a, b], in strips of b, whose lines of cache are written whole.
  template <class From, class To>
  static void copy(const From* from, int64_t items, int64_t rows, int64_t columns, To* to) {
    constexpr int64_t kStrip = 16, kWhole = 4096;
    const int64_t strip = rows == 1 ? kWhole : kStrip, strips = (columns + strip - 1) / strip;
#pragma omp parallel for schedule(static)
    for (int64_t s = 0; s < items * strips; ++s) {
      const int64_t i = s / strips, begin = s % strips * strip, end = std::min(begin + strip, columns);
      for (int64_t a = 0; a < rows; ++a)
        for (int64_t b = begin; b < end; ++b)
          kernels::set_host_element(to, (i * columns + b) * rows + a,
                                    kernels::host_element(from, (i * rows + a) * columns + b));
    }
  }
  template <class From, class To>
  static void copy_rows(const From* from, int64_t from_stride, int64_t rows, int64_t used, To* to,
                        int64_t to_stride) {
#pragma omp parallel for schedule(static)
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t c = 0; c < used; ++c)
        kernels::set_host_element(to, row * to_stride + c,
                                  kernels::host_element(from, row * from_stride + c));
  }

  kernels::Workspace memory_;
  kernels::Stream stream_ = nullptr;
  bool cuda_, measures_;
};

// workspace<T>() and run<T>() of a function whose compute<T>(desc, staging) asks a Staging for its arrays.
template <class Operator>
struct StagedFunction {
  static constexpr bool kFloatsAlone = true;  // and halves

  template <class T, class Desc>
  static int64_t workspace(const Desc& d, bool cuda) {
    Staging staging(cuda);
    Operator::template compute<T>(d, staging);
    return staging.bytes();
  }
  template <class T, class Desc>
  static void run(const Desc& d, const Call& call) {
    Staging staging(call);
    Operator::template compute<T>(d, staging);
  }
};

}  // namespace tyto::c_interface
