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

void build_resnet(Graph& g, const Weights& w, const Options& options, const Shape& input) {
  const Value map = resnet_trunk(g, w, g.image_input("input", input), stride_option(options)).back();
  const Value features = g.flatten(g.global_average_pool(map));
  g.output("map", map);
  g.output("features", features);
  if (w.has("fc.weight")) g.output("logits", g.linear(features, w.scope("fc")));
}

void build_ft_net(Graph& g, const Weights& w, const Options& options, const Shape& input) {
  Value x = resnet_trunk(g, w.scope("model"), g.image_input("input", input), stride_option(options)).back();
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
  g.output("features", x);
  if (!before_may_2018) w.expect_unused("model.fc.");  // ImageNet's classifier, replaced in training
  // The identities seen in training, cut at test time.
  w.expect_unused(before_may_2018 ? "classifier.0." : "classifier.classifier.");
  w.expect_unused("n_averaged");  // torch's AveragedModel
}

constexpr OptionSpec kStride = {"stride", "2", "of the last stage: 2, or 1 where it was trained so"};

}  // namespace

Network resnet() {
  return {"resnet",
          "ResNet-18 to -152, torchvision's names, with or without classifier or IBN-a",
          {kStride},
          imagenet_preprocessing(),
          build_resnet};
}

Network ft_net() {
  Preprocessing rule = imagenet_preprocessing();
  rule.height = 256;
  rule.width = 128;
  rule.fit = Fit::Stretch;
  rule.resampling = Resampling::PilBicubic;
  return {
      "ft_net",
      "person re-identification baseline on ResNet-50 (Person_reID_baseline_pytorch), with or without IBN-a",
      {kStride},
      rule,
      build_ft_net};
}

}  // namespace tyto
