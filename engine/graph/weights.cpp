#include "engine/graph/weights.h"

#include <fmt/format.h>

#include <algorithm>

#include "files/finite.h"

namespace tyto {
namespace {

std::string str(const std::vector<int64_t>& dims) {
  std::string text;
  for (int64_t d : dims) text += (text.empty() ? "" : ", ") + (d == any ? "any" : std::to_string(d));
  return "[" + text + "]";
}

Shape plausible(const std::vector<int64_t>& dims) {
  std::vector<int64_t> sizes;
  for (int64_t d : dims) sizes.push_back(d == any ? 1 : d);
  return Shape(std::move(sizes));
}

std::string str(const TensorSpec& spec) {
  return spec.foreign_type.empty() ? spec.shape.str()
                                   : fmt::format("{} of type {}", spec.shape.str(), spec.foreign_type);
}

Tensor load_finite(const TensorSource& source, const std::string& name) {
  const Tensor values = source.read(name).to_f32();
  check_finite(values, name, source.origin());
  return values;
}

}  // namespace

Weight constant(const std::string& name, const Tensor& values) {
  return {std::make_shared<Tensor>(values), name, values.shape(), [values] { return values; }};
}

float positive_number(const Weight& weight) {
  const Tensor values = weight.load();
  const float value = values.as<float>()[0];
  if (!(value > 0))
    throw Error(ErrorKind::Format,
                fmt::format("'{}' is {}, where a positive number is needed", weight.key(), value));
  return value;
}

bool fits(const TensorSpec& spec, const std::vector<int64_t>& dims) {
  if (!spec.foreign_type.empty() || spec.shape.rank() != dims.size()) return false;
  for (size_t i = 0; i < dims.size(); ++i)
    if (dims[i] == any ? spec.shape[i] < 1 : dims[i] != spec.shape[i]) return false;
  return true;
}

Weight Weights::operator()(const std::string& name, const std::vector<int64_t>& dims) const {
  const std::string full = prefix_ + name;
  const auto spec = source_->find(full);
  if (probe_ && !probe_->first) probe_->first = {full, dims};
  if (spec && fits(*spec, dims)) {
    if (probe_) probe_->used.insert(full);
    return Weight(source_, full, spec->shape,
                  [source = source_, full] { return load_finite(*source, full); });
  }
  if (probe_) {
    if (std::ranges::find(probe_->misses, full, &Probe::Miss::name) == probe_->misses.end())  // asked twice
      probe_->misses.push_back({full, str(dims), spec ? str(*spec) : ""});
    if (spec) probe_->used.insert(full);
    Shape shape = plausible(dims);
    // A missing weight's bias tells its outputs, so that the layers behind it are not missed, too.
    const auto bias = source_->find(prefix_ + "bias");
    if (name == "weight" && dims[0] == any && bias && bias->shape.rank() == 1) shape[0] = bias->shape[0];
    return Weight(source_, full, shape, [shape] { return Tensor::zeros(DType::F32, shape); });
  }
  throw Error(ErrorKind::Format,
              spec ? fmt::format("{}: '{}' is {}, but the network needs {}", source_->origin(), full,
                                 str(*spec), str(dims))
                   : fmt::format("{} has no tensor '{}' {}", source_->origin(), full, str(dims)));
}

bool Weights::has(const std::string& name) const { return source_->find(prefix_ + name).has_value(); }

Weights Weights::scope(const std::string& name) const {
  Weights inner = *this;
  inner.prefix_ += name + ".";
  return inner;
}

void Weights::expect_unused(const std::string& name_or_prefix) const {
  if (probe_) probe_->expected_unused.insert(prefix_ + name_or_prefix);
}

}  // namespace tyto
