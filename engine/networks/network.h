// The networks that tyto knows: one builder a family, each the only list of its weights.
#pragma once

#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/graph/graph.h"
#include "engine/images/preprocessing_rule.h"
#include "engine/networks/inputs.h"

namespace tyto {

class Options;

struct OptionSpec {
  std::string_view name, default_value, help;
};

// What a network computes.
struct NetworkOutputs {
  NamedValues values;
  Task task = Task::Raw;
  int64_t classes = 0;  // that it tells apart, a detector's background included; 0: none
  std::optional<BevGridInfo> grid = std::nullopt;  // of Task::Bev, where its map lies
};

using Facts = std::map<std::string, std::string>;

// What an option that is left open comes to, and a sentence's part that says why.
struct Decision {
  std::string option, value, reason;
};

struct Network {
  std::string_view name, summary;
  std::vector<OptionSpec> options;  // what the tensors' shapes cannot tell
  // What it takes; images by the rule of the training code. Sizes may be read off the weights.
  std::vector<InputInfo> (*inputs)(const Weights& weights, const Options& options);
  // Its layers on values that stand for its inputs: images as they are given, F32 rows [N * views, 3, H, W],
  // of which to_map() makes what layers read. A graph may have several copies.
  NetworkOutputs (*build)(Graph& graph, const Weights& weights, const Options& options, const Inputs& in);
  // Inputs that are an output of the run before: input, output.
  std::map<std::string, std::string> state = {};
  // Closes options that a checkpoint's tensors, or what stands beside them ("config.caffe_pretrain", "true"),
  // may tell; the model file gets what they come to. Where they are open, inputs and build go by the tensors.
  std::vector<Decision> (*decide)(const Weights& weights, const Options& options,
                                  const Facts& facts) = nullptr;
  bool flips = true;  // features of an image are summed with those of its mirror image when they are tested
};

// A graph of the network alone: declares the inputs, as declare_inputs() does, builds on them and names the
// outputs.
NetworkOutputs build_whole(Graph& graph, const Network& network, const Weights& weights,
                           const Options& options, const std::vector<InputInfo>& inputs,
                           const InputShapes& shapes);

// What a model file says of an output.
OutputInfo describe_output(const Graph& graph, const NamedValues::value_type& output);

std::vector<Network> shipped_networks();  // registry.cpp, the one list
// Those that this program knows: the shipped ones, and in tests others besides.
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
  bool is(std::string_view name, std::string_view value) const { return values_.find(name)->second == value; }
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
Network convnext();
Network densenet();
Network efficientnet();
Network vision_transformer();
Network ssd300();
Network ssd300_vgg16();
Network ssdlite320_mobilenet_v3_large();
Network ssdlite_mobilenet_v2();
Network simple_faster_rcnn();
Network fasterrcnn_resnet_fpn();
Network fasterrcnn_mobilenet_v3_large_fpn();
Network fasterrcnn_mobilenet_v3_large_320_fpn();
Network agw();
Network ddag();
Network hetero_center_triplet();
Network dpan();
Network lift_splat_shoot();

// torchvision's classification rule (shorter side 256, centre crop 224) and its ImageNet statistics, and the
// one input of networks that take it.
Preprocessing imagenet_preprocessing();
std::vector<InputInfo> imagenet_inputs(const Weights& weights, const Options& options);

// What a trunk gives, and with a classifier behind it: `logits` [N, classes] besides.
NetworkOutputs embedding(NamedValues values);
NetworkOutputs classification(const Graph& graph, NamedValues values, Value logits);

}  // namespace tyto
