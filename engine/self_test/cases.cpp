#include "engine/self_test/cases.h"

#include "engine/self_test/noise.h"

namespace tyto {
namespace {

Value unit_features(Graph& g, const Weights& w, Value x) {
  std::vector<Value> features;
  for (const Value view : {x, g.flip_horizontal(x)})
    for (const Value scaled : {view, g.rescale_bicubic(view, 1.3)}) {
      const Value map = g.conv2d(g.to_map(scaled), w, {.kernel = 3, .padding = 1});
      features.push_back(g.flatten(g.global_average_pool(g.relu(map))));
    }
  return g.normalized_sum("features", features);
}

Value norm(Graph& g, const Weights& w, Value x) { return g.batch_norm(x, w.scope("bn")); }

Value residual_tower(Graph& g, const Weights& w, Value x) {
  x = g.relu(norm(g, w, g.conv2d(x, w.scope("a"), {.kernel = 3, .padding = 1})));
  const Value y = g.relu(g.conv2d(x, w.scope("b"), {.kernel = 1}));
  x = g.relu(g.add(g.conv2d(y, w.scope("c"), {.kernel = 3, .padding = 1}), x));
  return g.linear(g.flatten(g.global_average_pool(x)), w.scope("fc"));
}

// A product and a sum with a value a channel, then with a value a channel of an image, then with a value a
// pixel.
Value arithmetic_of_maps(Graph& g, const Weights& w, Value x) {
  x = g.mul(x, g.constant(w("factors", {24})));
  x = g.relu(g.add(x, g.constant(w("shifts", {24}))));
  x = g.sub(x, g.global_average_pool(x));
  return g.sub(g.mul(x, g.slice(x, 1, 3, 1)), x);
}

// A token before those of x [2, 5, 12], which change places.
Value rows_moved(Graph& g, const Weights& w, Value x) {
  const Value token = g.expand(g.constant(w("token", {1, 1, 12})), {2, 1, 12});
  x = g.reshape(g.concat({token, x}, 1), {2, 6, 3, -1});
  x = g.permute(x, {0, 3, 1, 2});  // [2, 4, 6, 3]
  x = g.concat({x, g.slice(x, -2, 2, 3)}, 2);
  return g.expand(g.reshape(x, {2, 4, 1, 27}), {2, 4, 2, 27});
}

}  // namespace

Graph graph_of(const OperatorCase& c, const Weights& w) {
  Graph graph;
  const Value x = c.as_given            ? graph.input("input", c.input)
                  : c.input.rank() == 4 ? graph.image_input("input", c.input)
                                        : graph.rows_input("input", c.input);
  graph.output("output", c.build(graph, w, x));
  return graph;
}

std::map<std::string, Tensor> noise_for(const Graph& graph) {
  std::map<std::string, Tensor> inputs;
  std::map<std::string, int64_t> capacities;  // of what is counted, by the name of the count
  uint32_t seed = 0;
  for (const auto& [name, value] : graph.inputs()) {
    const Result& result = graph.result(value);
    if (result.count) capacities[name + kCountSuffix] = result.shape[1];
    if (result.elements == Elements::F32) {
      inputs.emplace(name, noise(result.shape, ++seed, -1, 1));
      continue;
    }
    Tensor indices(DType::I32, result.shape);
    const int64_t most = capacities.contains(name) ? capacities[name] : 1;
    int64_t i = 0;
    for (int32_t& v : indices.as<int32_t>()) v = static_cast<int32_t>(i++ % (most + 1));
    inputs.emplace(name, std::move(indices));
  }
  return inputs;
}

std::vector<OperatorCase> operator_cases() {
  const std::vector<std::pair<std::string, Shape>> bn = {
      {"bn.weight", {32}}, {"bn.bias", {32}}, {"bn.running_mean", {32}}, {"bn.running_var", {32}}};
  std::vector<std::pair<std::string, Shape>> tower = {{"a.weight", {32, 32, 3, 3}},
                                                      {"b.weight", {32, 32, 1, 1}},
                                                      {"c.weight", {32, 32, 3, 3}},
                                                      {"fc.weight", {10, 32}}};
  tower.insert(tower.end(), bn.begin(), bn.end());
  std::vector<OperatorCase> cases = {
      {"7x7 convolution of an image, stride 2",
       {2, 3, 37, 29},
       147,
       1,
       {{"weight", {64, 3, 7, 7}}},
       [](Graph& g, const Weights& w, Value x) {
         return g.conv2d(x, w, {.kernel = 7, .stride = 2, .padding = 3});
       }},
      {"3x3 convolution",
       {2, 64, 19, 17},
       576,
       1,
       {{"weight", {64, 64, 3, 3}}, {"bias", {64}}},
       [](Graph& g, const Weights& w, Value x) { return g.conv2d(x, w, {.kernel = 3, .padding = 1}); }},
      {"3x3 convolution, stride 2, odd channels",
       {1, 21, 18, 23},
       189,
       1,
       {{"weight", {13, 21, 3, 3}}},
       [](Graph& g, const Weights& w, Value x) {
         return g.conv2d(x, w, {.kernel = 3, .stride = 2, .padding = 1});
       }},
      {"1x1 convolution",
       {2, 64, 9, 7},
       64,
       1,
       {{"weight", {128, 64, 1, 1}}},
       [](Graph& g, const Weights& w, Value x) { return g.conv2d(x, w, {.kernel = 1}); }},
      {"depthwise convolution and ReLU6",
       {2, 96, 15, 11},
       9,
       1,
       {{"weight", {96, 1, 3, 3}}},
       [](Graph& g, const Weights& w, Value x) {
         return g.activate(g.conv2d(x, w, {.kernel = 3, .padding = 1, .groups = 96}), Activation::Relu6);
       }},
      {"depthwise convolution, uneven borders, residual",
       {1, 24, 9, 11},
       9,
       2,
       {{"weight", {24, 1, 3, 3}}},
       [](Graph& g, const Weights& w, Value x) {
         const Padding uneven = {2, 0, 0, 2};
         return g.relu(g.add(g.conv2d(x, w, {.kernel = 3, .padding = uneven, .groups = 24}), x));
       }},
      {"transposed convolution, groups, odd padding, ReLU",
       {2, 24, 6, 5},
       108,
       1,
       {{"weight", {24, 10, 3, 3}}, {"bias", {20}}},
       [](Graph& g, const Weights& w, Value x) {
         const ConvTranspose2d op = {.kernel = 3,
                                     .stride = 2,
                                     .padding = 1,
                                     .output_padding = 1,
                                     .groups = 2,
                                     .activation = Activation::Relu};
         return g.apply(op, {x}, {w("weight", {24, 10, 3, 3}), w("bias", {20})});
       }},
      {"transposed convolution that doubles a map",
       {1, 16, 9, 7},
       16,
       1,
       {{"weight", {16, 24, 2, 2}}},
       [](Graph& g, const Weights& w, Value x) {
         return g.apply(ConvTranspose2d{}, {x}, {w("weight", {16, 24, 2, 2})});
       }},
      {"linear",
       {5, 512},
       512,
       1,
       {{"weight", {300, 512}}, {"bias", {300}}},
       [](Graph& g, const Weights& w, Value x) { return g.linear(x, w); }},
      {"batch norm alone", {2, 32, 5, 7}, 2, 1, bn, norm},
      {"instance norm of half the channels",
       {2, 32, 9, 7},
       63,
       2,
       {{"weight", {16}}, {"bias", {16}}},
       [](Graph& g, const Weights& w, Value x) { return g.relu(g.instance_norm(x, w)); }},
      {"max pool with a last partial window",
       {2, 24, 13, 10},
       1,
       1,
       {},
       [](Graph& g, const Weights&, Value x) {
         return g.max_pool(x, {.kernel = 3, .stride = 2, .ceil = true});
       }},
      {"adaptive average pool",
       {2, 24, 13, 10},
       25,
       1,
       {},
       [](Graph& g, const Weights&, Value x) {
         return g.adaptive_average_pool(x, {5, 3});
       }},
      {"generalised-mean pool",
       {2, 24, 13, 10},
       130,
       1,
       {},
       [](Graph& g, const Weights&, Value x) {
         const float power = 3;
         return g.apply(GemPool{}, {x}, {constant("power", Tensor::of<float>({1}, {&power, 1}))});
       }},
      {"hard swish and squeeze-and-excitation",
       {2, 24, 9, 7},
       48,
       4,
       {{"a.weight", {24, 24, 1, 1}}, {"b.weight", {24, 24, 1, 1}}, {"b.bias", {24}}},
       [](Graph& g, const Weights& w, Value x) {
         x = g.activate(g.conv2d(x, w.scope("a"), {.kernel = 1}), Activation::HardSwish);
         const Value s = g.conv2d(g.global_average_pool(x), w.scope("b"), {.kernel = 1});
         return g.mul(x, g.activate(s, Activation::HardSigmoid));
       }},
      {"unit length over channels",
       {2, 24, 9, 7},
       24,
       1,
       {{"scale", {24}}},
       [](Graph& g, const Weights& w, Value x) { return g.l2_normalize(x, w("scale", {24}), {}); }},
      {"unit features of an image, mirrored, rescaled",
       {2, 3, 18, 11},
       27,
       3,
       {{"weight", {24, 3, 3, 3}}},
       unit_features,
       /*selects=*/false,
       /*as_given=*/true},
      {"residual tower with batch norm", {2, 32, 14, 14}, 288, 4, tower, residual_tower},
      {"softmax over channels, rows, columns",
       {2, 21, 5, 7},
       21,
       3,
       {},
       [](Graph& g, const Weights&, Value x) { return g.softmax(g.softmax(g.softmax(x, 1), 2), 3); }},
      {"softmax of rows",
       {2, 5, 37},
       37,
       2,
       {},
       [](Graph& g, const Weights&, Value x) { return g.softmax(g.softmax(x, -1), 1); }},
      {"layer norm and GELU",
       {2, 5, 37},
       37,
       2,
       {{"weight", {37}}, {"bias", {37}}},
       [](Graph& g, const Weights& w, Value x) {
         return g.activate(g.layer_norm(x, w, {.epsilon = 1e-6f}), Activation::GeluErf);
       }},
      {"group norm and SiLU",
       {2, 24, 9, 7},
       252,
       2,
       {{"weight", {24}}, {"bias", {24}}},
       [](Graph& g, const Weights& w, Value x) {
         return g.activate(g.group_norm(x, w, {.groups = 6}), Activation::Silu);
       }},
      {"mean, maximum and sum of a map",
       {2, 24, 9, 7},
       16,
       3,
       {},
       [](Graph& g, const Weights&, Value x) {
         using kernels::Reduction;
         return g.reduce(g.reduce(g.reduce(x, {Reduction::Mean, 2}), {Reduction::Max, 1}),
                         {Reduction::Sum, 3});
       }},
      {"mean of tokens",
       {3, 7, 10},
       7,
       1,
       {},
       [](Graph& g, const Weights&, Value x) {
         return g.reduce(x, {kernels::Reduction::Mean, 1});
       }},
      {"products of a batch, transposed either way",
       {2, 3, 5, 12},
       12,
       3,
       {},
       [](Graph& g, const Weights&, Value map) {
         const Value x = g.to_rows(map);  // [2, 3, 5, 12]
         const Value gram = g.matmul(x, x, {.transpose_b = true, .scale = 0.5f});
         return g.matmul(x, g.matmul(gram, x), {.transpose_a = true});
       }},
      {"a product with what all share",
       {2, 7, 16},
       16,
       1,
       {},
       [](Graph& g, const Weights&, Value x) {
         return g.matmul(x, g.rows_input("matrix", {16, 9}));
       }},
      {"linear on tokens",
       {2, 7, 16},
       16,
       1,
       {{"weight", {24, 16}}, {"bias", {24}}},
       [](Graph& g, const Weights& w, Value x) { return g.linear(x, w); }},
      {"attention of three heads",
       {2, 19, 24},
       27,
       3,
       {{"keys.weight", {24, 24}}, {"values.weight", {12, 24}}},
       [](Graph& g, const Weights& w, Value x) {
         const Value k = g.linear(x, w.scope("keys")), v = g.linear(x, w.scope("values"));
         return g.attention("attention", {x, k, v}, {.heads = 3, .scale = 0.35f});
       }},
      {"attention with a bias and a mask",
       {4, 9, 16},
       16,
       3,
       {{"keys.weight", {16, 16}}},
       [](Graph& g, const Weights& w, Value x) {
         const Value k = g.linear(x, w.scope("keys")), bias = g.rows_input("bias", {1, 2, 9, 9}),
                     mask = g.input("mask", {4, 1, 9}, Elements::I32);
         return g.attention("attention", {x, k, x, bias, mask},
                            {.heads = 2, .scale = 0.5f, .bias = true, .mask = true});
       }},
      {"position attention",
       {2, 24, 7, 5},
       35,
       4,
       {{"queries.weight", {5, 24, 1, 1}}, {"keys.weight", {5, 24, 1, 1}}, {"gamma", {1}}},
       [](Graph& g, const Weights& w, Value x) {
         const Value q = g.conv2d(x, w.scope("queries"), {}), k = g.conv2d(x, w.scope("keys"), {});
         return g.position_attention(q, k, x, x, w("gamma", {1}));
       }},
      {"arithmetic of a map with values a channel, an image and a pixel",
       {2, 24, 5, 3},
       15,
       6,
       {{"factors", {24}}, {"shifts", {24}}},
       arithmetic_of_maps},
      {"arithmetic of rows with values a row and a column",
       {2, 5, 12},
       1,
       4,
       {{"rows", {5, 1}}, {"columns", {12}}},
       [](Graph& g, const Weights& w, Value x) {
         const Value rows = g.constant(w("rows", {5, 1})), columns = g.constant(w("columns", {12}));
         return g.relu(g.sub(g.add(g.mul(x, columns), rows), x));
       }},
      {"average pool with a last partial window",
       {2, 24, 7, 10},
       9,
       1,
       {},
       [](Graph& g, const Weights&, Value x) {
         return g.average_pool(
             x, {.kernel = 3, .stride = 2, .padding = 1, .ceil = true, .count_padding = false});
       }},
      {"upsampling, nearest and bilinear",
       {2, 24, 4, 3},
       4,
       3,
       {},
       [](Graph& g, const Weights&, Value x) {
         x = g.apply(Upsample{.height = 6, .width = 5, .scale = 1.7f}, {x});
         x = g.apply(Upsample{.height = 9, .width = 8, .mode = kernels::Upsampling::Bilinear}, {x});
         return g.apply(Upsample{.height = 5, .width = 11, .mode = kernels::Upsampling::BilinearCorners},
                        {x});
       }},
      {"borders of zeros, reflected and repeated",
       {2, 24, 4, 3},
       1,
       1,
       {},
       [](Graph& g, const Weights&, Value x) {
         x = g.apply(Pad{{1, 0, 2, 3}, kernels::PadMode::Replicate}, {x});
         x = g.apply(Pad{{3, 2, 0, 1}, kernels::PadMode::Reflect}, {x});
         return g.apply(Pad{{0, 1, 1, 2}}, {x});
       }},
      {"maps joined and cut along their channels",
       {2, 16, 5, 3},
       16,
       2,
       {{"a.weight", {7, 16, 1, 1}}, {"b.weight", {24, 16, 1, 1}}},
       [](Graph& g, const Weights& w, Value x) {
         const Value a = g.conv2d(x, w.scope("a"), {.kernel = 1});
         const Value b = g.conv2d(x, w.scope("b"), {.kernel = 1});
         return g.slice(g.concat({a, x, b}, 1), 1, 5, 29);
       }},
      {"rows permuted, joined, cut and repeated", {2, 5, 12}, 1, 1, {{"token", {1, 1, 12}}}, rows_moved},
  };
  for (auto* more : {detection_cases, bev_cases})
    for (OperatorCase& c : more()) cases.push_back(std::move(c));
  return cases;
}

}  // namespace tyto
