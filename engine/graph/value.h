// What a graph's nodes hand on: typed values, whose layout in memory is a backend's affair.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "tyto/tensor.h"

namespace tyto {

// One of a node's results.
struct Value {
  int node = -1;
  int result = 0;

  bool operator==(const Value&) const = default;
};

enum class Elements : uint8_t {
  Activation,  // of the plan's precision: F32, F16 or BF16
  F32,         // whatever the precision, and never rounded: matrices, boxes, scores
  I32,         // indices, labels, counts
};

enum class Kind : uint8_t {
  Map,   // [N, C, H, W], which each backend keeps in the layout that its convolutions read best
  Rows,  // of any rank, row-major: tokens, vectors, boxes, and images as they are given
};

// A result's type: what a backend needs to know to keep it.
struct Result {
  Shape shape;
  Elements elements = Elements::Activation;
  Kind kind = Kind::Rows;
  // I32 [N]: how many of each sample's R rows hold something, where that is known on the device alone; what
  // stands in the others means nothing. Rows are [N, R, ...]; of a map [N * R, C, H, W] they are its images.
  std::optional<Value> count = {};
};

std::string_view name_of(Elements);  // "activations", "F32", "I32"

}  // namespace tyto
