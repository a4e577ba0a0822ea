// ResNet as a classifier, and ft_net: the re-identification baseline on top of it. Tensor names: torchvision;
// layumi/Person_reID_baseline_pytorch.
#include <fmt/format.h>

#include "engine/networks/network.h"
#include "engine/networks/trunks/resnet.h"

namespace tyto {
namespace {

int stride_option(const Options& options) {
  const int stride = options.integer("stride");
  if (stride != 1 && stride != 2)
    throw Error(ErrorKind::Usage, fmt::format("option stride={} is neither 1 nor 2", stride));
  return stride;
}

NetworkOutputs build_resnet(Graph& g, const Weights& w, const Options& options, const Inputs& in) {
  const Value map = resnet_trunk(g, w, g.to_map(in.at("input")), stride_option(options)).back();
  const Value features = g.flatten(g.global_average_pool(map));
  if (!w.has("fc.weight")) return embedding({{"map", map}, {"features", features}});
  const Value logits = g.linear(features, w.scope("fc"));
  return classification(g, {{"map", map}, {"features", features}}, logits);
}

NetworkOutputs build_ft_net(Graph& g, const Weights& w, const Options& options, const Inputs& in) {
  Value x = resnet_trunk(g, w.scope("model"), g.to_map(in.at("input")), stride_option(options)).back();
  x = g.flatten(g.global_average_pool(x));
  const bool before_may_2018 =
      w.has("model.fc.0.weight");  // when the head stood in place of ImageNet's classifier
  const Weights head = w.scope(before_may_2018 ? "model.fc" : "classifier.add_block");
  if (head.has("0.running_mean")) {  // trained with --linear_num 0: no projection
    x = g.batch_norm(x, head.scope("0"));
  } else {
    x = g.linear(x, head.scope("0"));
    x = g.batch_norm(x, head.scope("1"));
  }
  if (!before_may_2018) w.expect_unused("model.fc.");  // ImageNet's classifier, replaced in training
  // The identities seen in training, cut at test time.
  w.expect_unused(before_may_2018 ? "classifier.0." : "classifier.classifier.");
  w.expect_unused("n_averaged");  // torch's AveragedModel
  return embedding({{"features", x}});
}

std::vector<InputInfo> ft_net_inputs(const Weights&, const Options&) {
  Preprocessing rule = imagenet_preprocessing();
  rule.height = 256;
  rule.width = 128;
  rule.fit = Fit::Stretch;
  rule.resampling = Resampling::PilBicubic;
  return {image_input(rule)};
}

constexpr OptionSpec kStride = {"stride", "2", "of the last stage: 2, or 1 where it was trained so"};

}  // namespace

Network resnet() {
  return {"resnet",
          "ResNet-18 to -152, torchvision's names, with or without classifier or IBN-a",
          {kStride},
          imagenet_inputs,
          build_resnet};
}

Network ft_net() {
  return {
      "ft_net",
      "person re-identification baseline on ResNet-50 (Person_reID_baseline_pytorch), with or without IBN-a",
      {kStride},
      ft_net_inputs,
      build_ft_net};
}

}  // namespace tyto
