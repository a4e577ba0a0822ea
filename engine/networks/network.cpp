#include "engine/networks/network.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

namespace tyto {

NetworkOutputs build_whole(Graph& graph, const Network& network, const Weights& weights,
                           const Options& options, const std::vector<InputInfo>& inputs,
                           const InputShapes& shapes) {
  NetworkOutputs built = network.build(graph, weights, options, declare_inputs(graph, inputs, shapes));
  for (const auto& [name, value] : built.values) graph.output(name, value);
  return built;
}

OutputInfo describe_output(const Graph& graph, const NamedValues::value_type& output) {
  const auto& [name, value] = output;
  const Result& result = graph.result(value);
  OutputInfo info{name, std::nullopt, result.count ? name + kCountSuffix : ""};
  if (result.elements != Elements::Activation)
    info.type = result.elements == Elements::I32 ? DType::I32 : DType::F32;
  return info;
}

const Network& find_network(const std::string& name) {
  std::vector<std::string_view> names;
  for (const Network& n : networks()) {
    if (n.name == name) return n;
    names.push_back(n.name);
  }
  throw Error(ErrorKind::Unsupported,
              fmt::format("there is no network '{}'; tyto knows {}", name, fmt::join(names, ", ")));
}

Options::Options(const Network& network, const std::map<std::string, std::string>& given) {
  for (const OptionSpec& o : network.options) values_.emplace(o.name, o.default_value);
  for (const auto& [name, value] : given) {
    const auto it = values_.find(name);
    if (it == values_.end()) {
      std::vector<std::string_view> names;
      for (const OptionSpec& o : network.options) names.push_back(o.name);
      throw Error(ErrorKind::Usage,
                  fmt::format("{} has no option '{}'; it has {}", network.name, name,
                              names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "))));
    }
    it->second = value;
  }
}

int Options::integer(std::string_view name, int low, int high) const {
  const std::string& text = values_.find(name)->second;
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::invalid_argument || end != text.data() + text.size())
    throw Error(ErrorKind::Usage, fmt::format("option {}={} is not a whole number", name, text));
  if (error == std::errc::result_out_of_range || value < low || value > high)
    throw Error(ErrorKind::Usage, fmt::format("option {}={} is not within {} to {}", name, text, low, high));
  return value;
}

double Options::number(std::string_view name, double low, double high) const {
  const std::string& text = values_.find(name)->second;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !(value >= low && value <= high))
    throw Error(ErrorKind::Usage,
                fmt::format("option {}={} is not a number within {} to {}", name, text, low, high));
  return value;
}

const std::string& Options::choice(std::string_view name, const std::vector<std::string_view>& known) const {
  const std::string& text = values_.find(name)->second;
  if (std::find(known.begin(), known.end(), text) == known.end())
    throw Error(ErrorKind::Usage,
                fmt::format("option {}={}: known are {}", name, text, fmt::join(known, ", ")));
  return text;
}

Preprocessing imagenet_preprocessing() {
  Preprocessing rule;
  rule.height = rule.width = 224;
  rule.shorter_side = 256;
  rule.fit = Fit::CenterCrop;
  rule.resampling = Resampling::PilBilinear;
  rule.mean = {0.485f, 0.456f, 0.406f};
  rule.std = {0.229f, 0.224f, 0.225f};
  return rule;
}

std::vector<InputInfo> imagenet_inputs(const Weights&, const Options&) {
  return {image_input(imagenet_preprocessing())};
}

NetworkOutputs embedding(NamedValues values) { return {std::move(values), Task::Embed}; }

NetworkOutputs classification(const Graph& graph, NamedValues values, Value logits) {
  values.emplace_back("logits", logits);
  return {std::move(values), Task::Classify, graph.channels(logits)};
}

}  // namespace tyto
