// Where a tensor's elements lie in a checkpoint, and how they are gathered.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tyto/tensor.h"
#include "weights_converter/checkpoint/element_type.h"
#include "weights_converter/checkpoint/record.h"

namespace tyto {

// A run of elements of one type in a record. Several tensors may view one storage.
struct StoredStorage {
  Record record;
  uint64_t begin = 0;    // bytes from the start of the record
  int64_t elements = 0;  // all of which lie in the record
  ElementType type;
  // Not 0: the elements are written as text, in this many bytes of UTF-8, each of their bytes as the
  // character of that number (how protocol 2 pickles bytes).
  uint64_t latin1_bytes = 0;

  uint64_t bytes() const { return static_cast<uint64_t>(elements) * static_cast<uint64_t>(type.bytes); }
};

struct StoredTensor {
  StoredStorage storage;
  int64_t offset = 0;  // of the first element in the storage
  Shape shape;
  std::vector<int64_t> strides;  // one per dimension, in elements, >= 0
  bool negated = false;          // its values are the stored ones with the other sign
};

// Error{Format} naming `where` unless every element lies in the storage; Error{Unsupported} for negative
// strides, which PyTorch itself cannot save, and for views that blow up a small storage.
void check(const StoredTensor& tensor, const std::string& where);

// What reading costs: the part of the storage that the tensor spans, from the record's start where inflated.
uint64_t bytes_to_read(const StoredTensor& tensor);

// The elements in row-major order; needs little more memory than the result. The tensor was checked and has a
// DType. Error{Format} where text that stands for bytes is none.
Tensor read_stored(const File& file, const StoredTensor& tensor);

}  // namespace tyto
