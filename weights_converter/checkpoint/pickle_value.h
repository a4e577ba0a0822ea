// What a pickle describes, as inert data. Nothing in here is ever called.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace tyto {

struct PickleValue;
using PickleRef = PickleValue*;  // owned by a PickleHeap; never null in a finished value
using PickleItems = std::vector<PickleRef>;
using PicklePairs = std::vector<std::pair<PickleRef, PickleRef>>;

struct PickleNone {};
// A whole number beyond 64 bits, little-endian two's complement as LONG1 holds it.
struct PickleLong {
  std::string bytes;
};
// Where the content of a string or bytes object lies, from the start of the pickle's record.
struct PickleRange {
  uint64_t begin = 0, bytes = 0;
  bool utf8 = false;  // as UTF-8; else as raw bytes, strings of Python 2 included
};
// UTF-8 as far as the writer was; strings of Python 2 are taken as Latin-1. Empty where longer than
// limits::kMaxKeptTextBytes.
struct PickleText {
  std::string text;
  std::optional<PickleRange> range = std::nullopt;  // absent where the pickle spells it with escapes
};
struct PickleBytes {
  PickleRange range;
};
struct PickleTuple {
  PickleItems items;
};
struct PickleList {
  PickleItems items;
};
struct PickleSet {
  PickleItems items;
};
// dict, OrderedDict, defaultdict, Counter. A key may stand twice: the last one counts.
struct PickleDict {
  PicklePairs pairs;
};
// A class or function that the pickle names.
struct PickleGlobal {
  std::string_view name;  // "collections.OrderedDict"; lives in the GlobalLog
};
// What Python would have got from the loader's persistent_load(id): a storage, a tensor, a class.
struct PicklePersistent {
  PickleRef id;
};
// What Python would have made by calling `callable`: its ingredients.
struct PickleObject {
  PickleRef callable;
  PickleRef arguments;        // a tuple
  PickleRef state = nullptr;  // what __setstate__ would have got; may be null
  PicklePairs pairs;          // what __setitem__ would have got: subclasses of dict
};

struct PickleValue
    : std::variant<PickleNone, bool, int64_t, double, PickleLong, PickleText, PickleBytes, PickleTuple,
                   PickleList, PickleSet, PickleDict, PickleGlobal, PicklePersistent, PickleObject> {
  using variant::variant;

  template <class T>
  const T* as() const {
    return std::get_if<T>(static_cast<const variant*>(this));
  }
  template <class T>
  T* as() {
    return std::get_if<T>(static_cast<variant*>(this));
  }
};

// Owns values, which may point at one another in cycles. A deque, so that deep nesting is no deep destructor.
using PickleHeap = std::deque<PickleValue>;

std::string_view kind_of(const PickleValue& value);  // "a tuple", for messages

// The value under a text key of a dict (or of a dict's subclass), null where there is none.
const PickleValue* lookup(const PickleValue& dict, std::string_view key);
// The pairs of a dict or of an object that was filled as one; null for other values.
const PicklePairs* pairs_of(const PickleValue& value);
// The items of a tuple, list, set or torch.Size; null for other values.
const PickleItems* items_of(const PickleValue& value);
// The name of the global that made an object, also where PyTorch refers to it by a persistent id ("" where it
// is no object, or made by none).
std::string_view class_of(const PickleValue& value);

}  // namespace tyto
