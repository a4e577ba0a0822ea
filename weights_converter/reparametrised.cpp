#include "weights_converter/reparametrised.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "weights_converter/derived_source.h"

namespace tyto {
namespace {

constexpr const char* kForeign =
    "float32 under a parametrization of its own (torch.nn.utils.parametrize.remove_parametrizations undoes "
    "it)";

using Parts =
    std::map<std::string, std::string>;  // names of the parts of a weight by role: "g", "v", "orig" ...

struct Part {
  std::string weight, role;
};

constexpr std::string_view kParametrizations = ".parametrizations.";

// "conv.weight_g" is the part "g" of "conv.weight"; "conv.parametrizations.weight.0._u" the part "0._u".
std::optional<Part> part_of(std::string_view name) {
  if (const size_t at = name.find(kParametrizations); at != std::string_view::npos) {
    const std::string_view rest = name.substr(at + kParametrizations.size());
    const size_t dot = rest.find('.');
    if (dot == std::string_view::npos) return std::nullopt;
    return Part{std::string(name.substr(0, at + 1)) + std::string(rest.substr(0, dot)),
                std::string(rest.substr(dot + 1))};
  }
  for (std::string_view role : {"_g", "_v", "_u", "_orig", "_mask"})
    if (name.ends_with(role) && name.size() > role.size())
      return Part{std::string(name.substr(0, name.size() - role.size())), std::string(role.substr(1))};
  return std::nullopt;
}

int64_t product(const Shape& shape, size_t first, size_t last) {
  int64_t n = 1;
  for (size_t d = first; d < last; ++d) n *= shape[d];
  return n;
}

// The dimension that g keeps, all its other sizes being 1; the rank of v where it keeps none.
std::optional<size_t> kept_dimension(const Shape& g, const Shape& v) {
  if (g.rank() != v.rank()) return g.elements() == 1 ? std::optional(v.rank()) : std::nullopt;
  size_t kept = v.rank();
  for (size_t d = 0; d < v.rank(); ++d) {
    if (g[d] == 1) continue;
    if (g[d] != v[d] || kept != v.rank()) return std::nullopt;
    kept = d;
  }
  return kept;
}

Tensor weight_norm(const Tensor& g, const Tensor& v, size_t kept) {
  const Shape& shape = v.shape();
  const int64_t outer = kept == shape.rank() ? 1 : product(shape, 0, kept);
  const int64_t groups = kept == shape.rank() ? 1 : shape[kept];
  const int64_t inner = kept == shape.rank() ? v.elements() : product(shape, kept + 1, shape.rank());
  Tensor weight = v.clone();
  float* w = weight.as<float>().data();
  for (int64_t group = 0; group < groups; ++group) {
    double squares = 0;
    const auto each = [&](auto&& visit) {
      for (int64_t o = 0; o < outer; ++o)
        for (int64_t i = 0; i < inner; ++i) visit(w[(o * groups + group) * inner + i]);
    };
    each([&](float x) { squares += static_cast<double>(x) * x; });
    const float scale = g.as<float>()[static_cast<size_t>(group)] / static_cast<float>(std::sqrt(squares));
    each([&](float& x) { x *= scale; });
  }
  return weight;
}

// W is `weight` with dimension `rows` first and the others flattened behind it.
Tensor spectral_norm(const Tensor& original, const Tensor& u, const Tensor& v, size_t rows) {
  const Shape& shape = original.shape();
  const int64_t outer = product(shape, 0, rows), inner = product(shape, rows + 1, shape.rank());
  Tensor weight = original.clone();
  double sigma = 0;
  const std::span<float> w = weight.as<float>();
  const std::span<const float> left = u.as<float>(), right = v.as<float>();
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t r = 0; r < shape[rows]; ++r)
      for (int64_t i = 0; i < inner; ++i)
        sigma += static_cast<double>(left[static_cast<size_t>(r)]) *
                 w[static_cast<size_t>((o * shape[rows] + r) * inner + i)] *
                 right[static_cast<size_t>(o * inner + i)];
  for (float& x : w) x /= static_cast<float>(sigma);
  return weight;
}

Tensor pruned(const Tensor& original, const Tensor& mask) {
  Tensor weight = original.clone();
  const auto w = weight.as<float>();
  for (size_t i = 0; i < w.size(); ++i) w[i] *= mask.as<float>()[i];
  return weight;
}

// How a weight comes out of its parts; nothing where that is unknown.
struct Recipe {
  Shape shape;
  std::function<Tensor()> make;
};

std::optional<Recipe> recipe_of(const Parts& parts, const std::shared_ptr<const TensorSource>& tensors) {
  const auto is_made_of = [&](std::initializer_list<const char*> roles) {
    const auto is_there = [&](const char* role) {
      return parts.contains(role) && tensors->find(parts.at(role))->foreign_type.empty();
    };
    return parts.size() == roles.size() && std::all_of(roles.begin(), roles.end(), is_there);
  };
  const auto shape = [&](const char* role) { return tensors->find(parts.at(role))->shape; };
  const auto reader = [&](const char* role) {
    return [tensors, name = parts.at(role)] { return tensors->read(name).to_f32(); };
  };
  const auto weight_norm_of = [&](const char* g_role, const char* v_role) -> std::optional<Recipe> {
    const auto kept = kept_dimension(shape(g_role), shape(v_role));
    if (!kept) return std::nullopt;
    return Recipe{shape(v_role),
                  [g = reader(g_role), v = reader(v_role), kept] { return weight_norm(g(), v(), *kept); }};
  };
  const auto spectral_norm_of = [&](const char* w_role, const char* u_role,
                                    const char* v_role) -> std::optional<Recipe> {
    const Shape w = shape(w_role);
    const int64_t rows = shape(u_role).elements();
    const auto dimension = static_cast<size_t>(std::find(w.begin(), w.end(), rows) - w.begin());
    if (dimension == w.rank() || rows == 0 || shape(v_role).elements() != w.elements() / rows)
      return std::nullopt;
    return Recipe{w, [original = reader(w_role), u = reader(u_role), v = reader(v_role), dimension] {
                    return spectral_norm(original(), u(), v(), dimension);
                  }};
  };
  if (is_made_of({"g", "v"})) return weight_norm_of("g", "v");
  if (is_made_of({"original0", "original1"})) return weight_norm_of("original0", "original1");
  if (is_made_of({"orig", "u", "v"})) return spectral_norm_of("orig", "u", "v");
  if (is_made_of({"original", "0._u", "0._v"})) return spectral_norm_of("original", "0._u", "0._v");
  if (is_made_of({"orig", "mask"}) && shape("orig") == shape("mask"))
    return Recipe{shape("orig"),
                  [original = reader("orig"), mask = reader("mask")] { return pruned(original(), mask()); }};
  return std::nullopt;
}

}  // namespace

std::shared_ptr<const TensorSource> with_weights_of_parts(std::shared_ptr<const TensorSource> tensors) {
  const std::vector<std::string> names = tensors->names();
  std::map<std::string, Parts> weights;  // by the name of the weight
  for (const std::string& name : names)
    if (const auto part = part_of(name); part && !tensors->find(part->weight))
      weights[part->weight][part->role] = name;
  auto out = std::make_shared<DerivedSource>(tensors->origin());
  for (const std::string& name : names) {
    const auto part = part_of(name);
    const auto weight = part ? weights.find(part->weight) : weights.end();
    if (weight == weights.end()) {
      out->add(name, tensors, name);
      continue;
    }
    if (auto recipe = recipe_of(weight->second, tensors))
      out->add(part->weight, {DType::F32, recipe->shape, {}}, recipe->make);
    else if (name.find(kParametrizations) != std::string::npos || part->role == "orig")
      out->add(part->weight, {DType::F32, tensors->find(name)->shape, kForeign}, {});
    else
      out->add(name, tensors, name);  // a name that only looks like a part's
  }
  return out;
}

}  // namespace tyto
