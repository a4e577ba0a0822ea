// What a function of the seam does about exceptions and texts.
#pragma once

#include <cstdint>
#include <string>
#include <type_traits>

#include "python/native/seam.h"

namespace tyto::python {

inline constexpr int32_t kInterrupted = 100;
struct Interrupted {};  // thrown where the caller says so

void say(tyto_python_text* text, const std::string& said);
int32_t failed(tyto_python_text* text) noexcept;  // the code and the sentence of the exception in flight

// The body of a function: what it returns, if anything, is said.
template <class Body>
int32_t answer(tyto_python_text* text, const Body& body) noexcept {
  try {
    if constexpr (std::is_void_v<decltype(body())>)
      body();
    else
      say(text, body());
    return 0;
  } catch (...) {
    return failed(text);
  }
}

}  // namespace tyto::python
