#include "weights_converter/checkpoint/tensor_value.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>

#include "tyto/error.h"
#include "weights_converter/checkpoint/limits.h"
#include "weights_converter/checkpoint/numpy_array.h"

namespace tyto {
namespace {

using Arguments = std::span<const PickleRef>;

template <size_t N>
bool is_one_of(std::string_view name, const std::array<std::string_view, N>& names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Calls whose first argument is the tensor proper.
constexpr auto kWrappers = std::to_array<std::string_view>(
    {"torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state",
     "torch._utils._rebuild_device_tensor_from_cpu_tensor", "torch.nn.parameter.Parameter",
     "torch.nn.Parameter", "torch.nn.parameter.Buffer", "torch.autograd.variable.Variable",
     "torch.autograd.Variable"});

// Calls of (function, class, arguments, state), where the function makes the tensor.
constexpr auto kFromType = std::to_array<std::string_view>(
    {"torch._tensor._rebuild_from_type", "torch._tensor._rebuild_from_type_v2",
     "torch._utils._rebuild_from_type", "torch._utils._rebuild_from_type_v2"});

// How protocols 0 and 1 make an instance: the class is the first argument.
constexpr auto kNewInstance = std::to_array<std::string_view>(
    {"copyreg.__newobj__", "copy_reg.__newobj__", "copyreg._reconstructor", "copy_reg._reconstructor"});

constexpr std::string_view kRebuild = "torch._utils._rebuild_";

// "torch.FloatTensor", "torch.cuda.HalfTensor": 0.1's tensors, whose state is (storage, offset, size,
// stride).
bool is_tensor_class(std::string_view name) {
  return name.starts_with("torch.") && name.ends_with("Tensor") && name.find('_') == std::string_view::npos;
}

// A call that makes a tensor: function and arguments, with wrappers taken off.
struct Recipe {
  std::string_view function;
  Arguments arguments;
  const PickleValue* stored = nullptr;  // instead: a tar file's reference to a tensor
};

// One step from a value towards the tensor in it.
struct Step {
  const PickleValue* inner = nullptr;  // go on with this value
  std::optional<Recipe> recipe;        // or this makes it
};

Step step_into_wrapper(const PickleObject& object, Arguments arguments) {
  if (!arguments.empty()) return {.inner = arguments.front()};
  // 0.1's Variable kept its data in a state of five.
  const PickleItems* state = object.state ? items_of(*object.state) : nullptr;
  return {.inner = state && state->size() == 5 ? state->front() : nullptr};
}

Step step_into(const PickleObject& object) {
  std::string_view function;
  if (const auto* global = object.callable->as<PickleGlobal>()) function = global->name;
  Arguments arguments = object.arguments->as<PickleTuple>()->items;
  if (is_one_of(function, kNewInstance) && !arguments.empty()) {
    const auto* type = arguments.front()->as<PickleGlobal>();
    if (!type) return {};
    function = type->name;
    arguments = arguments.subspan(1);
  }
  if (is_one_of(function, kWrappers)) return step_into_wrapper(object, arguments);
  if (is_one_of(function, kFromType)) {
    const auto* maker = arguments.size() >= 3 ? arguments[0]->as<PickleGlobal>() : nullptr;
    const PickleItems* inner = maker ? items_of(*arguments[2]) : nullptr;
    if (!inner) return {};
    if (is_one_of(maker->name, kWrappers)) return {.inner = inner->empty() ? nullptr : inner->front()};
    return {.recipe = Recipe{.function = maker->name, .arguments = *inner}};
  }
  if (function.starts_with(kRebuild)) return {.recipe = Recipe{.function = function, .arguments = arguments}};
  const PickleItems* state = is_tensor_class(function) && object.state ? items_of(*object.state) : nullptr;
  if (!state) return {};
  return {.recipe = Recipe{.function = "torch._utils._rebuild_tensor", .arguments = *state}};
}

std::optional<Recipe> recipe_of(const Archive& archive, const PickleValue& outer) {
  const PickleValue* value = &outer;
  for (int depth = 0; value && depth < limits::kMaxWrappers; ++depth) {
    if (const auto* persistent = value->as<PicklePersistent>()) {
      if (!archive.tensors.contains(storage_key(*persistent->id))) return std::nullopt;
      return Recipe{.stored = value};
    }
    const auto* object = value->as<PickleObject>();
    if (!object) return std::nullopt;
    Step step = step_into(*object);
    if (step.recipe) return step.recipe;
    value = step.inner;
  }
  return std::nullopt;
}

std::vector<int64_t> integers(const PickleValue& value, const std::string& where) {
  const PickleItems* items = items_of(value);
  if (!items || items->size() > limits::kMaxRank)
    throw Error(ErrorKind::Format, fmt::format("{}: its shape or strides are no list of at most {} numbers",
                                               where, limits::kMaxRank));
  std::vector<int64_t> out;
  for (PickleRef item : *items) {
    const auto* number = item->as<int64_t>();
    if (!number)
      throw Error(ErrorKind::Format, fmt::format("{}: its shape or strides hold no numbers", where));
    out.push_back(*number);
  }
  return out;
}

// What stands behind the hooks: a dict of the bits that PyTorch 2 sets in place of computing.
void obey_metadata(const Recipe& recipe, TensorValue& value) {
  const size_t at = recipe.function == "torch._utils._rebuild_tensor_v3" ? 7 : 6;
  if (recipe.arguments.size() <= at || recipe.arguments[at]->as<PickleNone>()) return;
  const std::string type =
      value.foreign_type.empty() ? std::string(value.tensor.storage.type.name) : value.foreign_type;
  const PicklePairs* bits = pairs_of(*recipe.arguments[at]);
  if (!bits) {
    value.foreign_type = fmt::format("{} with metadata that is {}", type, kind_of(*recipe.arguments[at]));
    return;
  }
  for (const auto& [key, bit] : *bits) {
    const auto* flag = bit->as<bool>();
    const std::string name = storage_key(*key);
    if (flag && name == "neg")
      value.tensor.negated = *flag;
    else if (!flag || *flag)
      value.foreign_type = fmt::format("{} with metadata '{}'", type, printable(name));
  }
}

// (storage, offset, size, stride, requires_grad, hooks[, metadata]); version 3 has the dtype behind the
// hooks.
TensorValue rebuild(const Archive& archive, const Recipe& recipe, const std::string& where) {
  constexpr size_t kDtypeAt = 6;
  const Arguments arguments = recipe.arguments;
  const auto malformed = [&](const char* what) {
    throw Error(ErrorKind::Format, fmt::format("{}: malformed: {}", where, what));
  };
  if (arguments.size() < 4) malformed("it lacks storage, offset, size or stride");
  auto storage = find_storage(archive, *arguments[0], where);
  if (!storage) malformed("it lies in no storage");
  const auto* offset = arguments[1]->as<int64_t>();
  if (!offset) malformed("its offset is no number");
  if (recipe.function == "torch._utils._rebuild_tensor_v3") {
    const auto* global = arguments.size() > kDtypeAt ? arguments[kDtypeAt]->as<PickleGlobal>() : nullptr;
    const auto type = global ? dtype_element_type(global->name) : std::nullopt;
    if (!type) malformed("its element type is unknown");
    storage->elements = static_cast<int64_t>(storage->bytes()) / type->bytes;
    storage->type = *type;
  }
  TensorValue value{
      .tensor = {*storage, *offset, Shape(integers(*arguments[2], where)), integers(*arguments[3], where)}};
  if (!storage->type.dtype) value.foreign_type = storage->type.name;
  obey_metadata(recipe, value);
  check(value.tensor, where);
  return value;
}

// The type and, where its place is known, the shape of a tensor that is not rebuilt from a dense storage.
TensorValue foreign(const Archive& archive, const Recipe& recipe, const std::string& where) {
  std::string_view kind = recipe.function;
  if (kind.starts_with(kRebuild)) kind.remove_prefix(kRebuild.size());
  TensorValue value{.foreign_type = printable(kind)};
  if (kind == "qtensor" && recipe.arguments.size() > 2) {  // (storage, offset, size ...)
    if (const auto storage = find_storage(archive, *recipe.arguments[0], where))
      value.foreign_type = storage->type.name;
    value.tensor.shape = Shape(integers(*recipe.arguments[2], where));
  }
  if (kind == "sparse_tensor") {  // (layout, (indices, values, size[, coalesced]))
    value.foreign_type = "sparse";
    const PickleItems* parts = recipe.arguments.size() > 1 ? items_of(*recipe.arguments[1]) : nullptr;
    if (parts && parts->size() > 2) value.tensor.shape = Shape(integers(*(*parts)[2], where));
  }
  return value;
}

bool is_plain(std::string_view function) {
  return function == "torch._utils._rebuild_tensor" || function == "torch._utils._rebuild_tensor_v2" ||
         function == "torch._utils._rebuild_tensor_v3";
}

}  // namespace

bool is_tensor(const Archive& archive, const PickleValue& value) {
  return is_numpy_array(value) || recipe_of(archive, value).has_value();
}

std::optional<TensorValue> tensor_from(const Archive& archive, const PickleValue& value,
                                       const std::string& where) {
  if (auto array = numpy_array_from(archive, value, where)) return array;
  const auto recipe = recipe_of(archive, value);
  if (!recipe) return std::nullopt;
  if (recipe->stored) {
    TensorValue stored{.tensor =
                           archive.tensors.at(storage_key(*recipe->stored->as<PicklePersistent>()->id))};
    if (!stored.tensor.storage.type.dtype) stored.foreign_type = stored.tensor.storage.type.name;
    check(stored.tensor, where);
    return stored;
  }
  if (!is_plain(recipe->function)) return foreign(archive, *recipe, where);
  return rebuild(archive, *recipe, where);
}

}  // namespace tyto
