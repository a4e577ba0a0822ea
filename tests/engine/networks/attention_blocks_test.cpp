// Attention blocks of two-stream networks, on numbers that PyTorch gave for modules of tests/parity.
#include "engine/networks/trunks/attention_blocks.h"

#include <gtest/gtest.h>

#include <vector>

#include "files/memory_source.h"
#include "support/compare.h"

namespace tyto {
namespace {

// Element i: scale * ((i * step) % 11 - 5).
Tensor pattern(const Shape& shape, int step, float scale) {
  std::vector<float> values;
  for (int i = 0; i < shape.elements(); ++i)
    values.push_back(static_cast<float>((i * step) % 11 - 5) * scale);
  return Tensor::of<float>(shape, values);
}

using Tensors = std::vector<std::pair<std::string, Tensor>>;

Tensor vector_of(const std::vector<float>& values) {
  return Tensor::of<float>({static_cast<int64_t>(values.size())}, values);
}

void add_convolution(Tensors& tensors, const std::string& name, const Shape& shape, int step) {
  tensors.emplace_back(name + ".weight", pattern(shape, step, 0.25f));
  tensors.emplace_back(name + ".bias", pattern({shape[0]}, step + 5, 0.25f));
}

// Two images of four channels.
Tensor images() {
  const Tensor first = pattern({4, 2, 3}, 7, 0.125f), second = pattern({4, 2, 3}, 5, 0.125f);
  std::vector<float> values(first.as<float>().begin(), first.as<float>().end());
  values.insert(values.end(), second.as<float>().begin(), second.as<float>().end());
  return Tensor::of<float>({2, 4, 2, 3}, values);
}

template <class Block>
void expect_values(Block block, Tensors tensors, const std::vector<float>& values) {
  Graph g;
  const Weights w(std::make_shared<MemorySource>(std::move(tensors)));
  g.output("y", block(g, w, g.image_input("input", {2, 4, 2, 3})));
  const Tensor x = images(), want = Tensor::of<float>({2, 4, 2, 3}, values);
  // Projections, scores and weighted sums, of up to 6 products each.
  const double tolerance = sum_tolerance(Precision::Fp32, 6, 3);
  EXPECT_LE(relative_error(run_reference(g, x).at("y"), want), tolerance);
  EXPECT_LE(relative_error(OnCpu(g).run(x).at("y"), want), tolerance);
}

TEST(AttentionBlocks, PositionAttentionHasTheValuesOfDanets) {
  Tensors tensors;
  add_convolution(tensors, "query_conv", {2, 4, 1, 1}, 3);
  add_convolution(tensors, "key_conv", {2, 4, 1, 1}, 4);
  add_convolution(tensors, "value_conv", {4, 4, 1, 1}, 6);
  tensors.emplace_back("gamma", vector_of({0.75f}));
  expect_values(position_attention, std::move(tensors),
                {-1.817293f,  -1.136069f,  -1.322647f,  -0.7935242f,  -1.249297f,  -1.4327f,    -0.6310951f,
                 -1.221706f,  -1.542873f,  -0.851858f,  -1.344447f,   -1.659572f,  -0.3468895f, -0.9278923f,
                 0.07069528f, -0.519637f,  -1.066629f,  -0.05820478f, -0.8938011f, -1.36448f,   -0.5640136f,
                 -1.009365f,  -1.482067f,  -0.6890948f, -1.98864f,    -1.300358f,  -0.8324788f, -1.412365f,
                 -0.9514691f, -1.524102f,  -0.9941517f, -1.701515f,   -1.175265f,  -1.816291f,  -1.294589f,
                 -1.93082f,   -0.5468851f, 0.1643728f,  -0.7338602f,  0.02733809f, -0.882746f,  -0.1105761f,
                 -1.095676f,  -0.5121447f, -1.18768f,   -0.6370918f,  -1.307417f,  -0.7618596f});
}

TEST(AttentionBlocks, ChannelAttentionHasTheValuesOfDanets) {
  Tensors tensors;
  tensors.emplace_back("gamma", vector_of({0.75f}));
  expect_values(channel_attention, std::move(tensors),
                {-0.5242433f, 0.05654576f,  -0.04723168f, 0.7127958f,  -0.1622042f, -0.2659817f, 0.5134742f,
                 -0.1631486f, -0.2960995f,  0.4931014f,   -0.3818986f, -0.5148495f, 0.2109658f,  -0.2356589f,
                 0.489176f,   0.4205911f,   -0.4544089f,  0.270426f,   -0.0369987f, -0.4876342f, 0.2562731f,
                 0.1686158f,  -0.7063842f,  0.03752313f,  -0.7101157f, 0.1773171f,  0.529494f,   -0.04143286f,
                 0.310744f,   -0.2601829f,  0.2269389f,   -0.1299295f, 0.1759556f,  -0.3486795f, -0.04279444f,
                 -0.5674295f, -0.05094971f, 0.5620925f,   0.04555614f, 0.3433425f,  -0.1731939f, 0.1245925f,
                 -0.4601067f, 0.230644f,    -0.3119216f,  0.01189396f, -0.5306716f, -0.206856f});
}

TEST(AttentionBlocks, NonLocalWithoutItsMapHasTheValuesOfAgws) {
  Tensors tensors;
  add_convolution(tensors, "g.0", {1, 4, 1, 1}, 3);
  add_convolution(tensors, "theta", {1, 4, 1, 1}, 4);
  add_convolution(tensors, "phi", {1, 4, 1, 1}, 6);
  add_convolution(tensors, "W.0", {4, 1, 1, 1}, 7);
  tensors.emplace_back("W.1.weight", vector_of({0.5f, 1, 1.5f, 2}));
  tensors.emplace_back("W.1.bias", vector_of({-0.25f, 0, 0.25f, 0.5f}));
  tensors.emplace_back("W.1.running_mean", vector_of({0, 0.125f, 0.25f, 0.375f}));
  tensors.emplace_back("W.1.running_var", vector_of({0.25f, 0.5f, 1, 2}));
  expect_values(
      non_local, std::move(tensors),
      {-1.124826f,  1.827407f,    0.01951959f, 3.818032f,  1.163865f,   -0.6440222f, -1.65675f,  -3.331822f,
       -3.091962f,  -3.870767f,   -3.152174f,  -2.912313f, -0.399894f,  0.3464643f,  0.4367202f, 1.690854f,
       -0.1016656f, -0.01140977f, -2.151883f,  -5.589585f, -2.864921f,  -7.499465f,  -4.952959f, -2.228294f,
       -1.570901f,  1.270393f,    4.111688f,   0.4989742f, 3.340269f,   -0.2724451f, -1.529409f, -3.533147f,
       -4.161885f,  -3.292473f,   -3.921212f,  -3.0518f,   -0.9175433f, 1.037254f,   1.61705f,   0.5243961f,
       1.104193f,   0.01153871f,  -1.896026f,  -4.405395f, -8.289764f,  -3.616204f,  -7.500573f, -2.827013f});
}

}  // namespace
}  // namespace tyto
