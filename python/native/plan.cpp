// Networks on raw tensors, as `tyto run` runs them.
#include "tyto/plan.h"

#include <fmt/format.h>

#include <cstring>
#include <mutex>
#include <optional>

#include "apps/raw_inputs.h"
#include "engine/model/build_graph.h"
#include "files/json.h"
#include "python/native/call.h"
#include "python/native/model.h"
#include "python/native/options.h"

namespace tyto::python {
namespace {

DType type_from(const std::string& name) {
  for (const DType type : {DType::F32, DType::F16, DType::F64, DType::I64, DType::I32})
    if (name_of(type) == name) return type;
  throw Error(ErrorKind::Usage, fmt::format("{} is no type that networks take", name));
}

Tensor copied(const tyto_python_tensor& from) {
  Tensor tensor(type_from(from.type), Shape(std::vector<int64_t>(from.shape, from.shape + from.rank)));
  if (tensor.bytes() > 0) std::memcpy(tensor.data(), from.values, static_cast<size_t>(tensor.bytes()));
  return tensor;
}

// A plan for the shapes of the inputs that came last.
class OpenPlan : public Object {
 public:
  static constexpr const char* kName = "plan";

  OpenPlan(std::shared_ptr<OpenModel> model, const CallOptions& options)
      : model_(std::move(model)),
        options_{precision_of(options), options.texts("outputs"), options.pairs("set")},
        infos_(inputs_of(model_->model(), options_.set)),
        context_(context_options(options, notices_)) {}

  nlohmann::ordered_json describe() const { return python::describe(context_, notices_); }

  nlohmann::ordered_json run(std::span<const tyto_python_tensor> inputs) {
    const std::lock_guard lock(mutex_);
    outputs_.clear();
    const std::map<std::string, Tensor> tensors = checked(inputs);
    InputShapes shapes;
    for (const auto& [name, tensor] : tensors) shapes.emplace(name, tensor.shape());
    if (!plan_ || shapes != shapes_) {
      plan_.reset();
      plan_.emplace(model_->model(), context_, shapes, options_);
      shapes_ = shapes;
    }
    auto list = nlohmann::ordered_json::array();
    for (const auto& [name, tensor] : plan_->run(tensors)) {
      // NumPy has no bfloat16. Others are the plan's own until the next run.
      const Tensor& given =
          outputs_.emplace(name, tensor.dtype() == DType::BF16 ? tensor.to_f32() : tensor).first->second;
      list.push_back({name, name_of(given.dtype()), given.shape().dims()});
    }
    return {{"outputs", list}};
  }

  void copy_output(const std::string& name, void* values, size_t bytes) {
    const std::lock_guard lock(mutex_);
    const auto it = outputs_.find(name);
    if (it == outputs_.end())
      throw Error(ErrorKind::Usage, fmt::format("the plan has run without '{}'", name));
    if (static_cast<size_t>(it->second.bytes()) != bytes)
      throw Error(ErrorKind::Shape, fmt::format("'{}' has another size than its copy", name));
    if (bytes > 0) std::memcpy(values, it->second.data(), bytes);
  }

 private:
  // What is wrong with a caller's tensors is the call's fault, not a file's.
  std::map<std::string, Tensor> checked(std::span<const tyto_python_tensor> inputs) const {
    std::map<std::string, const tyto_python_tensor*> by_name;
    InputShapes shapes;
    for (const tyto_python_tensor& input : inputs) {
      by_name[input.name] = &input;
      shapes[input.name] = Shape(std::vector<int64_t>(input.shape, input.shape + input.rank));
    }
    try {
      return apps::raw_inputs(infos_, shapes,
                              [&](const std::string& name) { return copied(*by_name.at(name)); });
    } catch (const Error& error) {
      throw Error(error.kind() == ErrorKind::Format ? ErrorKind::Usage : error.kind(), error.what());
    }
  }

  std::shared_ptr<OpenModel> model_;
  PlanOptions options_;
  std::vector<InputInfo> infos_;
  std::vector<std::string> notices_;
  Context context_;
  std::optional<Plan> plan_;
  InputShapes shapes_;
  std::map<std::string, Tensor> outputs_;
  std::mutex mutex_;
};

}  // namespace
}  // namespace tyto::python

using namespace tyto;
using namespace tyto::python;

extern "C" int32_t tyto_python_plan_open(uint64_t model, const char* options, uint64_t* plan,
                                         tyto_python_text* text) noexcept {
  return answer(text, [&] {
    const auto opened = std::make_shared<OpenPlan>(find<OpenModel>(model), CallOptions(options));
    const std::string said = dump_json(opened->describe());
    *plan = keep(opened);
    return said;
  });
}

extern "C" int32_t tyto_python_plan_run(uint64_t plan, const tyto_python_tensor* inputs, int32_t count,
                                        tyto_python_text* text) noexcept {
  return answer(text, [&] {
    return dump_json(find<OpenPlan>(plan)->run({inputs, static_cast<size_t>(count)}));
  });
}

extern "C" int32_t tyto_python_plan_output(uint64_t plan, const char* name, void* values, size_t bytes,
                                           tyto_python_text* text) noexcept {
  return answer(text, [&] { find<OpenPlan>(plan)->copy_output(name, values, bytes); });
}
