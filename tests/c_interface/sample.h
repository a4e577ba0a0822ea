// A sound call of every function of a C header, small, with its arrays.
#pragma once

#include <tyto_elements.h>

#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace tyto {

inline constexpr int32_t kInteger = 9;  // int32_t, beside the elements

// Bytes of one.
inline int64_t bytes_of(int32_t elements) {
  return elements == TYTO_DOUBLE ? 8 : elements == TYTO_FLOAT || elements == kInteger ? 4 : 2;
}

struct SampleArray {
  std::string name;
  void** field;  // of the descriptor
  std::vector<unsigned char> bytes;
  bool output, optional;
  int32_t elements;  // enum tyto_elements, or kInteger
};

struct Sample {
  std::string name;
  int32_t elements = TYTO_DOUBLE;
  std::shared_ptr<void> desc;
  size_t desc_size = 0;
  size_t options = 0;  // where they begin: behind them nothing says how large an array is
  int32_t* device = nullptr;
  std::vector<std::pair<std::string, int64_t*>> sizes;
  std::vector<SampleArray> arrays;
  std::function<void(void*, size_t)> defaults;
  std::function<int(const void*, size_t*, char*, size_t)> workspace;
  std::function<int(const void*, void*, size_t, void*, char*, size_t)> call;

  // Points the fields at the arrays.
  void point() {
    for (SampleArray& array : arrays) *array.field = array.bytes.data();
  }
};

// Of those elements; without what does not take halves for them. A header's tests bring their own.
std::vector<Sample> samples(int32_t elements);

struct Answer {
  int code;
  std::string text;
};

// Calls with a workspace of the size that it asks for.
inline Answer call_on_cpu(const Sample& sample) {
  char error[256] = "untouched";
  size_t bytes = 0;
  int code = sample.workspace(sample.desc.get(), &bytes, error, sizeof error);
  if (code != 0) return {code, error};
  std::vector<unsigned char> workspace(bytes);
  code = sample.call(sample.desc.get(), workspace.data(), bytes, nullptr, error, sizeof error);
  return {code, error};
}

}  // namespace tyto
