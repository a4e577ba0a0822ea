// The networks that tyto knows: one builder a family, each the only list of its weights.
#pragma once

#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/graph/graph.h"
#include "engine/images/preprocessing_rule.h"

namespace tyto {

class Options;

struct OptionSpec {
  std::string_view name, default_value, help;
};

struct Network {
  std::string_view name, summary;
  std::vector<OptionSpec> options;  // what the tensors' shapes cannot tell
  Preprocessing preprocessing;      // the rule of the training code
  void (*build)(Graph& graph, const Weights& weights, const Options& options, const Shape& input);
};

const std::vector<Network>& networks();
const Network& find_network(const std::string& name);  // Error{Unsupported} lists the names

// Values for a network's options; those not given have their defaults.
class Options {
 public:
  Options(const Network& network,
          const std::map<std::string, std::string>& given);  // Error{Usage}: unknown name
  // Error{Usage}: no whole number, or beyond the limits.
  int integer(std::string_view name, int low = std::numeric_limits<int>::min(),
              int high = std::numeric_limits<int>::max()) const;
  double number(std::string_view name, double low, double high) const;  // Error{Usage} likewise
  // Error{Usage}: none of these.
  const std::string& choice(std::string_view name, const std::vector<std::string_view>& known) const;
  const std::map<std::string, std::string, std::less<>>& values() const { return values_; }

 private:
  std::map<std::string, std::string, std::less<>> values_;
};

// The families, each in its file.
Network ft_net();
Network resnet();
Network mobilenet_v2();
Network mobilenet_v2_flat();
Network vgg();
Network ssd300();
Network ssd300_vgg16();
Network ssdlite320_mobilenet_v3_large();
Network ssdlite_mobilenet_v2();

// torchvision's classification rule (shorter side 256, centre crop 224) and its ImageNet statistics.
Preprocessing imagenet_preprocessing();

}  // namespace tyto
