// The gradient of bird's-eye-view pooling, of depth logits and features: of Lift-Splat-Shoot, of BEVDepth,
// and of BEVPoolv2's largest input.
#include <cstring>

#include "bench/kernels/kernel_case.h"
#include "kernels/bev/bev_pool.h"
#include "kernels/bev/bev_rig.h"

namespace tyto::bench {
namespace {

using namespace kernels;

std::vector<float> centred(int64_t count) {
  std::vector<float> values = numbers(count);
  for (float& v : values) v = 4 * v - 2;
  return values;
}

Work gradient_of(Arrays& a, const char* name) {
  const bev_rig::BevCase bev = bev_rig::bev_case(name);
  const auto matrices = bev.matrices<double>();
  const int64_t cameras = matrices.view().cameras, channels = bev.channels, cells = bev.grid.size();
  const Frustum& f = bev.frustum;
  const int64_t pixels = cameras * f.height * f.width, points = bev_run_capacity(f, cameras);
  std::vector<int32_t> starts(static_cast<size_t>(cells + 1)), cell_of(static_cast<size_t>(points));
  std::vector<BevRun> runs(static_cast<size_t>(points));
  std::vector<char> memory(static_cast<size_t>(bev_index_cpu_workspace(bev.indexing(), 1, cameras)));
  build_bev_index_cpu<double>(matrices.view(), bev.indexing(), nullptr,
                              {starts.data(), runs.data(), cell_of.data()}, memory.data());
  std::vector<int32_t> words(static_cast<size_t>(2 * points));
  std::memcpy(words.data(), runs.data(), words.size() * sizeof(int32_t));
  const BevIndex index = {a.input("cell_starts", {cells + 1}, starts),
                          reinterpret_cast<const BevRun*>(a.input("runs", {points, 2}, words)),
                          a.input("cells", {cameras, f.bins, f.height, f.width}, cell_of)};
  const LiftedMaps<const float> maps = {
      .depth = a.input("depth", {cameras, f.bins, f.height, f.width}, centred(points)),
      .bins = DepthBins::First,
      .features = a.input("features", {cameras, f.height, f.width, channels}, centred(pixels * channels)),
      .feature_stride = channels,
      .samples = 1,
      .cameras = cameras,
      .channels = channels};
  const int64_t rows = bev.grid.rows(), columns = bev.grid.columns();
  const ChannelBlocks<const float> gradient = {
      a.input("gradient", {cells, channels}, centred(cells * channels)),
      1,
      channels,
      rows,
      columns,
      channels,
      cells * channels,
      cells * channels};
  const LiftedMaps<float> gradients = {
      .depth = a.output<float>("depth_gradient", {cameras, f.bins, f.height, f.width}),
      .bins = DepthBins::First,
      .features = a.output<float>("features_gradient", {cameras, f.height, f.width, channels}),
      .feature_stride = channels,
      .samples = 1,
      .cameras = cameras,
      .channels = channels};
  const BevPool pool = {.frustum = f, .grid = bev.grid};
  const bev_rig::Counts& counts = bev_rig::kCounts[name[1] - '1'];
  Work work;
  // Cells and both maps with their gradients, and the rows of the cells in use.
  work.bytes = 4.0 * static_cast<double>(3 * points + 2 * pixels * channels + counts.cells * channels);
  work.operations = 4.0 * static_cast<double>(counts.kept * channels) + 8.0 * static_cast<double>(points);
  void* cpu_memory = a.scratch(bev_pool_backward_cpu_workspace<float>(pool, 1, cameras, channels));
  work.cpu = [=] {
    bev_pool_backward_cpu<float>(maps, index, pool, gradient, nullptr, gradients, cpu_memory);
  };
  if constexpr (kHasCuda) {
    void* device = a.scratch(bev_pool_backward_workspace<float>(pool, 1, cameras, channels));
    work.cuda = [=](Stream s) {
      bev_pool_backward<float>(maps, index, pool, gradient, nullptr, gradients, device, s);
    };
  }
  return work;
}

}  // namespace

void add_bev_backward_cases(Cases& cases) {
  for (const char* name : {"B1", "B3", "B7"})
    cases.push_back({std::string("bev_backward/") + name, [=](Arrays& a) { return gradient_of(a, name); }});
}

}  // namespace tyto::bench
