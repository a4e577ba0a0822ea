// A sound call of every function of tyto_losses.h, small, with its arrays.
#pragma once

#include <tyto_losses.h>

#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace tyto {

struct SampleArray {
  std::string name;
  void** field;  // of the descriptor
  std::vector<unsigned char> bytes;
  bool output, optional;
  int64_t element;     // bytes of one
  bool real_elements;  // rather than the loss's own, or integers
};

struct Sample {
  std::string name;
  int32_t elements = TYTO_DOUBLE;
  std::shared_ptr<void> desc;
  size_t desc_size = 0;
  size_t options = 0;  // where they begin, behind `status`
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

// Of those elements; targets, which have no halves, in float for them.
std::vector<Sample> samples(int32_t elements);

struct Answer {
  int code;
  std::string text;
};

// Calls with a workspace of the size that it asks for.
Answer call_on_cpu(const Sample&);

}  // namespace tyto
