#include "weights_converter/checkpoint/numpy_array.h"

#include <fmt/format.h>

#include <charconv>

#include "tyto/error.h"
#include "weights_converter/checkpoint/limits.h"

namespace tyto {
namespace {

// What a pickled array says of itself. Null members: it does not say so in a way that is read here.
struct Description {
  const PickleValue* shape = nullptr;
  const PickleValue* type = nullptr;
  const PickleValue* elements = nullptr;
  bool fortran_order = false;
};

// "numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct" (numpy 2) ...
bool is_of_numpy(std::string_view global, std::string_view name) {
  for (std::string_view core : {"numpy.core.", "numpy._core."})
    if (global.starts_with(core) && global.substr(core.size()) == name) return true;
  return false;
}

bool is_true(const PickleValue& value) {
  const auto* flag = value.as<bool>();
  const auto* number = value.as<int64_t>();
  return flag ? *flag : number && *number != 0;
}

// _reconstruct(ndarray, (0,), b'b'), then a state of (version, shape, dtype, Fortran order, elements).
Description from_state(const PickleObject& object) {
  const PickleItems* state = object.state ? items_of(*object.state) : nullptr;
  if (!state || state->size() != 5) return {};
  const PickleItems& s = *state;
  return {.shape = s[1], .type = s[2], .elements = s[4], .fortran_order = is_true(*s[3])};
}

// _frombuffer(elements, dtype, shape, order), of protocol 5.
Description from_buffer(const PickleObject& object) {
  const auto& arguments = object.arguments->as<PickleTuple>()->items;
  if (arguments.size() != 4) return {};
  const auto* order = arguments[3]->as<PickleText>();
  return {.shape = arguments[2],
          .type = arguments[1],
          .elements = arguments[0],
          .fortran_order = order && order->text == "F"};
}

std::optional<Description> describe(const PickleValue& value) {
  const std::string_view made_by = class_of(value);
  const auto* object = value.as<PickleObject>();
  if (is_of_numpy(made_by, "multiarray._reconstruct")) return from_state(*object);
  if (is_of_numpy(made_by, "numeric._frombuffer")) return from_buffer(*object);
  return std::nullopt;
}

// "<f4" of dtype('f4', False, True) with a state of (version, byte order, ...); "" where it is no plain type.
std::string type_code(const PickleValue* value) {
  const auto* object = value ? value->as<PickleObject>() : nullptr;
  if (!object || class_of(*value) != "numpy.dtype") return {};
  const auto& arguments = object->arguments->as<PickleTuple>()->items;
  const auto* code = arguments.empty() ? nullptr : arguments[0]->as<PickleText>();
  if (!code) return {};
  const PickleItems* state = object->state ? items_of(*object->state) : nullptr;
  const auto* order = state && state->size() >= 2 ? (*state)[1]->as<PickleText>() : nullptr;
  return (order ? order->text : std::string()) + code->text;
}

// A type in one byte's order is written '|', in the machine's '=' or without.
ElementType element_type(std::string_view code) {
  struct Row {
    std::string_view code;
    ElementType type;
  };
  static constexpr Row kRows[] = {{"f4", {"float32", 4, DType::F32}}, {"f8", {"float64", 8, DType::F64}},
                                  {"f2", {"float16", 2, DType::F16}}, {"i8", {"int64", 8, DType::I64}},
                                  {"i4", {"int32", 4, DType::I32}},   {"i2", {"int16", 2, DType::I16}},
                                  {"i1", {"int8", 1, DType::I8}},     {"u1", {"uint8", 1, DType::U8}},
                                  {"b1", {"bool", 1, DType::Bool}}};
  if (!code.empty() && std::string_view("<|=").find(code.front()) != std::string_view::npos)
    code.remove_prefix(1);
  for (const Row& row : kRows)
    if (row.code == code) return row.type;
  return {};
}

// Bytes, or what protocol 2 has for them: _codecs.encode(text, 'latin1').
std::optional<PickleRange> range_of(const PickleValue& value) {
  if (const auto* bytes = value.as<PickleBytes>()) return bytes->range;
  if (const auto* text = value.as<PickleText>())  // of Python 2
    return text->range && !text->range->utf8 ? text->range : std::nullopt;
  if (class_of(value) == "builtins.bytearray" || class_of(value) == "__builtin__.bytearray") {
    const auto& arguments = value.as<PickleObject>()->arguments->as<PickleTuple>()->items;
    return arguments.size() == 1 && arguments[0]->as<PickleBytes>() ? range_of(*arguments[0]) : std::nullopt;
  }
  if (class_of(value) != "_codecs.encode") return std::nullopt;
  const auto& arguments = value.as<PickleObject>()->arguments->as<PickleTuple>()->items;
  if (arguments.size() != 2) return std::nullopt;
  const auto *text = arguments[0]->as<PickleText>(), *codec = arguments[1]->as<PickleText>();
  return text && codec && (codec->text == "latin1" || codec->text == "latin-1") ? text->range : std::nullopt;
}

std::optional<Shape> shape_of(const PickleValue* value) {
  const PickleItems* items = value ? items_of(*value) : nullptr;
  if (!items || items->size() > limits::kMaxRank) return std::nullopt;
  std::vector<int64_t> dims;
  for (PickleRef item : *items) {
    const auto* size = item->as<int64_t>();
    if (!size || *size < 0) return std::nullopt;
    dims.push_back(*size);
  }
  return Shape(std::move(dims));
}

std::vector<int64_t> strides_of(const Shape& shape, bool fortran_order) {
  std::vector<int64_t> strides(shape.rank());
  int64_t next = 1;
  for (size_t i = 0; i < shape.rank(); ++i) {
    const size_t d = fortran_order ? i : shape.rank() - 1 - i;
    strides[d] = next;
    next *= shape[d];
  }
  return strides;
}

}  // namespace

bool is_numpy_array(const PickleValue& value) { return describe(value).has_value(); }

std::optional<TensorValue> numpy_array_from(const Archive& archive, const PickleValue& value,
                                            const std::string& where) {
  const auto description = describe(value);
  if (!description) return std::nullopt;
  const auto shape = shape_of(description->shape);
  if (!shape)
    throw Error(ErrorKind::Format,
                fmt::format("{}: its shape is no list of at most {} sizes", where, limits::kMaxRank));
  TensorValue array;
  array.tensor.shape = *shape;
  const std::string code = type_code(description->type);
  const ElementType type = element_type(code);
  const auto range = description->elements ? range_of(*description->elements) : std::nullopt;
  const int64_t elements = shape->elements();
  if (!type.dtype || (!range && elements > 0)) {
    array.foreign_type = code.empty() ? "numpy array" : "numpy " + printable(code);
    return array;
  }
  const PickleRange at = range.value_or(PickleRange{});
  const uint64_t bytes = at.bytes,
                 least = at.utf8 ? (bytes + 1) / 2 : bytes;  // two bytes a character at most
  const auto size = static_cast<uint64_t>(type.bytes), count = static_cast<uint64_t>(elements);
  if (count > bytes / size || count * size < least)
    throw Error(ErrorKind::Format,
                fmt::format("{}: shape {} of {} does not have the {} bytes that the pickle holds", where,
                            shape->str(), type.name, bytes));
  array.tensor.storage = {.record = archive.pickle,
                          .begin = at.begin,
                          .elements = elements,
                          .type = type,
                          .latin1_bytes = at.utf8 ? at.bytes : 0};
  array.tensor.strides = strides_of(*shape, description->fortran_order);
  check(array.tensor, where);
  return array;
}

}  // namespace tyto
