#include "weights_converter/checkpoint/element_type.h"

#include <array>

namespace tyto {
namespace {

struct Row {
  std::string_view storage;  // "Float" of FloatStorage; empty where only dtypes exist
  std::string_view dtype;
  int64_t bytes;
  std::optional<DType> type;
};

constexpr auto kRows = std::to_array<Row>({
    {"Float", "float32", 4, DType::F32},
    {"Double", "float64", 8, DType::F64},
    {"Half", "float16", 2, DType::F16},
    {"BFloat16", "bfloat16", 2, DType::BF16},
    {"Long", "int64", 8, DType::I64},
    {"Int", "int32", 4, DType::I32},
    {"Short", "int16", 2, DType::I16},
    {"Char", "int8", 1, DType::I8},
    {"Byte", "uint8", 1, DType::U8},
    {"Bool", "bool", 1, DType::Bool},
    {"Untyped", "uint8", 1, DType::U8},
    {"ComplexFloat", "complex64", 8, {}},
    {"ComplexDouble", "complex128", 16, {}},
    {"", "complex32", 4, {}},
    {"QInt8", "qint8", 1, {}},
    {"QUInt8", "quint8", 1, {}},
    {"QInt32", "qint32", 4, {}},
    {"QUInt4x2", "quint4x2", 1, {}},
    {"QUInt2x4", "quint2x4", 1, {}},
    {"", "float4_e2m1fn_x2", 1, {}},
    {"", "float8_e4m3fn", 1, {}},
    {"", "float8_e5m2", 1, {}},
    {"", "float8_e4m3fnuz", 1, {}},
    {"", "float8_e5m2fnuz", 1, {}},
    {"", "float8_e8m0fnu", 1, {}},
    {"", "uint16", 2, {}},
    {"", "uint32", 4, {}},
    {"", "uint64", 8, {}},
});

ElementType from(const Row& row) { return {.name = row.dtype, .bytes = row.bytes, .dtype = row.type}; }

bool drop_prefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

}  // namespace

std::optional<ElementType> storage_element_type(std::string_view global) {
  if (!drop_prefix(global, "torch.cuda.") && !drop_prefix(global, "torch.storage.") &&
      !drop_prefix(global, "torch."))
    return std::nullopt;
  drop_prefix(global, "_");  // torch.storage._UntypedStorage, for a while
  if (!global.ends_with("Storage")) return std::nullopt;
  global.remove_suffix(std::string_view("Storage").size());
  for (const Row& row : kRows)
    if (!row.storage.empty() && row.storage == global) return from(row);
  return std::nullopt;
}

std::optional<ElementType> dtype_element_type(std::string_view global) {
  if (!drop_prefix(global, "torch.")) return std::nullopt;
  for (const Row& row : kRows)
    if (row.dtype == global) return from(row);
  return std::nullopt;
}

}  // namespace tyto
