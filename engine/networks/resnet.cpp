// ResNet (He et al., CVPR 2016) in torchvision's v1.5 form, stride in the 3x3, and with IBN-a (Pan et al.,
// ECCV 2018); ft_net: the re-identification baseline on top of it. Tensor names: torchvision;
// layumi/Person_reID_baseline_pytorch.
#include <fmt/format.h>

#include "engine/networks/network.h"

namespace tyto {
namespace {

// A batch norm; in IBN-a the first half of the channels is instance-normalised instead.
Value norm(Graph& g, const Weights& w, Value x) {
  if (!w.has("IN.weight")) return g.batch_norm(x, w);
  const int half = static_cast<int>(w("IN.weight", {any}).dim(0));
  x = g.batch_norm(x, w.scope("BN"), {.first_channel = half});
  return g.instance_norm(x, w.scope("IN"));
}

Value shortcut(Graph& g, const Weights& w, Value x, int stride) {
  if (!w.has("downsample.0.weight")) return x;
  x = g.conv2d(x, w.scope("downsample.0"), {.kernel = 1, .stride = stride});
  return g.batch_norm(x, w.scope("downsample.1"));
}

Value basic_block(Graph& g, const Weights& w, Value x, int stride) {
  const Value identity = shortcut(g, w, x, stride);
  x = g.relu(
      norm(g, w.scope("bn1"), g.conv2d(x, w.scope("conv1"), {.kernel = 3, .stride = stride, .padding = 1})));
  x = g.batch_norm(g.conv2d(x, w.scope("conv2"), {.kernel = 3, .padding = 1}), w.scope("bn2"));
  return g.relu(g.add(x, identity));
}

Value bottleneck(Graph& g, const Weights& w, Value x, int stride) {
  const Value identity = shortcut(g, w, x, stride);
  x = g.relu(norm(g, w.scope("bn1"), g.conv2d(x, w.scope("conv1"), {.kernel = 1})));
  x = g.relu(g.batch_norm(g.conv2d(x, w.scope("conv2"), {.kernel = 3, .stride = stride, .padding = 1}),
                          w.scope("bn2")));
  x = g.batch_norm(g.conv2d(x, w.scope("conv3"), {.kernel = 1}), w.scope("bn3"));
  return g.relu(g.add(x, identity));
}

// Stem and the four layers; depth and block kind follow from which tensors there are.
Value resnet_trunk(Graph& g, const Weights& w, Value x, int last_stride) {
  x = g.conv2d(x, w.scope("conv1"), {.kernel = 7, .stride = 2, .padding = 3});
  x = g.relu(norm(g, w.scope("bn1"), x));
  x = g.max_pool(x, {.kernel = 3, .stride = 2, .padding = 1});
  const bool deep = w.has("layer1.0.conv3.weight");
  for (int layer = 1; layer <= 4; ++layer)
    for (int block = 0; block == 0 || w.has(fmt::format("layer{}.{}.conv1.weight", layer, block)); ++block) {
      const int stride = block > 0 || layer == 1 ? 1 : layer == 4 ? last_stride : 2;
      const Weights scope = w.scope(fmt::format("layer{}.{}", layer, block));
      x = deep ? bottleneck(g, scope, x, stride) : basic_block(g, scope, x, stride);
    }
  return x;
}

int stride_option(const Options& options) {
  const int stride = options.integer("stride");
  if (stride != 1 && stride != 2)
    throw Error(ErrorKind::Usage, fmt::format("option stride={} is neither 1 nor 2", stride));
  return stride;
}

void build_resnet(Graph& g, const Weights& w, const Options& options, const Shape& input) {
  const Value map = resnet_trunk(g, w, g.input("input", input), stride_option(options));
  const Value features = g.flatten(g.global_average_pool(map));
  g.output("map", map);
  g.output("features", features);
  if (w.has("fc.weight")) g.output("logits", g.linear(features, w.scope("fc")));
}

void build_ft_net(Graph& g, const Weights& w, const Options& options, const Shape& input) {
  Value x = resnet_trunk(g, w.scope("model"), g.input("input", input), stride_option(options));
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
