// The registry of tests of whole programs: the networks that ship, one that takes inputs of every kind, and
// one that hands out what it is given of a rig. A program that links this has these networks() in place of
// the engine's.
#include "engine/networks/network.h"
#include "engine/networks/rig_inputs.h"

namespace tyto {
namespace {

// Images of two sizes, of which one input has two a sample; points, as wide as a weight says; a table; and
// what the run before gave.
std::vector<InputInfo> inputs(const Weights& w, const Options& options) {
  Preprocessing large, small;
  large.height = 16;
  large.width = 12;
  small.height = 9;
  small.width = 7;
  const Weight lift = w("lift.weight", {any, any});
  return {image_input(large, "photo"), image_input(small, "cameras", 2),
          tensor_input("points", DType::F32, {4, lift.dim(1)}),
          tensor_input("table", DType::I32, {options.integer("rows", 1, 1000), 3}, /*counted=*/true),
          tensor_input("before", DType::F32, {4, lift.dim(0)})};
}

NetworkOutputs build(Graph& g, const Weights& w, const Options&, const Inputs& in) {
  const auto convolved = [&](const char* name) {
    return g.relu(g.conv2d(g.to_map(in.at(name)), w.scope(name), {.kernel = 3, .padding = 1}));
  };
  const Value seen = g.flatten(g.global_average_pool(convolved("cameras")));
  const Value lifted = g.add(g.linear(in.at("points"), w.scope("lift")), in.at("before"));
  return {{{"map", convolved("photo")}, {"seen", seen}, {"lifted", lifted}, {"rows", in.at("table")}}};
}

Network several_inputs() {
  return {"several_inputs",      "inputs of every kind", {{"rows", "5", "of the table"}}, inputs, build,
          {{"before", "lifted"}}};
}

// Its map is a row a sample: the matrices, then the images of 8 x 16. Its grid is in the lidar's frame.
std::vector<InputInfo> rig_echo_inputs(const Weights&, const Options& options) {
  Preprocessing rule;
  rule.height = 8;
  rule.width = 16;
  rule.fit = Fit::BottomCrop;
  rule.scale = 1;
  std::vector<InputInfo> inputs = rig_inputs(options.integer("cameras", 1, 8));
  inputs.push_back(image_input(rule, "photos", options.integer("cameras", 1, 8)));
  return inputs;
}

NetworkOutputs build_rig_echo(Graph& g, const Weights& w, const Options&, const Inputs& in) {
  w("unused", {1});
  const int64_t samples = g.shape(in.at(kIntrinsics))[0];
  std::vector<Value> rows;
  for (const char* name : {kIntrinsics, kCameraToEgo, kImageAugmentation, "photos"})
    rows.push_back(g.reshape(in.at(name), {samples, -1}));
  NetworkOutputs outputs = {{{"map", g.concat(rows, 1)}}, Task::Bev};
  outputs.grid = BevGridInfo{.step = {1, 1, 1}, .cells = {1, 1, 1}, .lidar_frame = true};
  return outputs;
}

Network rig_echo() {
  return {"rig_echo",
          "what it is given of a rig",
          {{"cameras", "2", "of a sample"}},
          rig_echo_inputs,
          build_rig_echo};
}

}  // namespace

const std::vector<Network>& networks() {
  static const std::vector<Network> all = [] {
    std::vector<Network> shipped = shipped_networks();
    shipped.push_back(several_inputs());
    shipped.push_back(rig_echo());
    return shipped;
  }();
  return all;
}

}  // namespace tyto
