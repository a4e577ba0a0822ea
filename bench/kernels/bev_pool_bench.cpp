// BEV pooling of the cases that networks have, B1 to B8: float, channels last, the softmax over depth within;
// and of two of them the formulations of others, without their softmax's cost hidden.
#include <memory>

#include "bench/kernels/kernel_case.h"
#include "kernels/bev/bev_formulations.h"
#include "kernels/bev/bev_pool.h"
#include "kernels/bev/bev_rig.h"

namespace tyto::bench {
namespace {

using namespace kernels;

constexpr int64_t kCameras = 6;

std::vector<float> centred(int64_t count, float by) {
  std::vector<float> values = numbers(count);
  for (float& v : values) v = by * (v - 0.5f);
  return values;
}

struct Problem {
  bev_rig::BevCase bev;
  BevPool p;
  LiftedMaps<const float> maps;
  BevIndex index;
  ChannelBlocks<float> out;
  std::vector<int32_t> cells;
};

Problem problem(Arrays& a, const char* name) {
  Problem of{.bev = bev_rig::bev_case(name)};
  const Frustum& f = of.bev.frustum;
  const BevGrid& grid = of.bev.grid;
  const int64_t channels = of.bev.channels, points = kCameras * f.points();
  const auto matrices = of.bev.matrices<double>();
  const BevIndexing indexing = of.bev.indexing();
  std::vector<int32_t> starts(static_cast<size_t>(grid.size() + 1));
  std::vector<BevRun> runs(static_cast<size_t>(points));
  of.cells.resize(static_cast<size_t>(points));
  std::vector<char> memory(static_cast<size_t>(bev_index_cpu_workspace(indexing, 1, kCameras)));
  build_bev_index_cpu<double>(matrices.view(), indexing, nullptr,
                              {starts.data(), runs.data(), of.cells.data()}, memory.data());
  std::vector<int32_t> words;
  for (int32_t i = 0; i < starts.back(); ++i) {
    const BevRun& run = runs[static_cast<size_t>(i)];
    words.push_back(run.column);
    words.push_back(run.first_row | run.rows << 16);
  }
  of.p = {f, grid};
  of.maps = {a.input("depth", {kCameras, f.height, f.width, f.bins}, centred(points, 8)),
             DepthBins::Last,
             f.bins,
             a.input("features", {kCameras, f.height, f.width, channels},
                     centred(kCameras * f.height * f.width * channels, 2)),
             channels,
             1,
             kCameras,
             channels};
  of.index = {a.input("cell_starts", {grid.size() + 1}, starts),
              reinterpret_cast<const BevRun*>(a.input("runs", {static_cast<int64_t>(words.size())}, words)),
              a.input("cells", {kCameras, f.bins, f.height, f.width}, of.cells)};
  float* out = a.output<float>("out", {grid.rows(), grid.columns(), channels});
  of.out = {out, 1, channels, grid.rows(), grid.columns(), channels, grid.size() * channels, 0};
  return of;
}

// Both maps and the result once; a product and a sum a kept point and channel.
Work work_of(const char* name, const Problem& of) {
  const Frustum& f = of.bev.frustum;
  const auto channels = static_cast<double>(of.bev.channels);
  Work work;
  work.bytes = 4 * (kCameras * (static_cast<double>(f.points()) + f.height * f.width * channels) +
                    static_cast<double>(of.bev.grid.size()) * channels);
  work.operations = 2 * static_cast<double>(bev_rig::kCounts[name[1] - '1'].kept) * channels;
  return work;
}

Work pool(Arrays& a, const char* name) {
  const Problem of = problem(a, name);
  Work work = work_of(name, of);
  const auto maps = of.maps;
  const auto index = of.index;
  const auto p = of.p;
  const auto out = of.out;
  void* lent = a.scratch(bev_pool_cpu_workspace<float>(p, 1, kCameras, maps.channels));
  work.cpu = [=] { bev_pool_cpu<float>(maps, index, p, out, nullptr, lent); };
  if constexpr (kHasCuda) {
    void* device = a.scratch(bev_pool_workspace<float>(p, 1, kCameras, maps.channels));
    work.cuda = [=](Stream s) { bev_pool<float>(maps, index, p, out, nullptr, device, s); };
  }
  return work;
}

enum class Formulation { Atomic, Cumsum };

Work formulation(Arrays& a, const char* name, Formulation how) {
  const Problem of = problem(a, name);
  Work work = work_of(name, of);
  const Frustum& f = of.bev.frustum;
  const auto points = std::make_shared<const bev_formulations::Points>(
      bev_formulations::points_by_cell(of.cells.data(), f, kCameras));
  const auto maps = of.maps;
  const auto out = of.out;
  const int64_t pixels = kCameras * f.height * f.width, bins = f.bins, cells = of.bev.grid.size(),
                kept = static_cast<int64_t>(points->cell.size());
  auto* weights = static_cast<float*>(a.scratch(4 * pixels * bins));
  auto* lifted =
      how == Formulation::Cumsum ? static_cast<float*>(a.scratch(4 * kept * maps.channels)) : nullptr;
  work.cpu = [=] {
    bev_formulations::softmax_rows(maps.depth, pixels, bins, weights);
    if (how == Formulation::Cumsum)
      bev_formulations::cumsum(*points, weights, maps.features, maps.channels, cells, lifted, out.data);
    else
      bev_formulations::atomic(*points, weights, maps.features, maps.channels, cells, out.data);
  };
  return work;
}

}  // namespace

void add_bev_pool_cases(Cases& cases) {
  for (const char* name : {"B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8"}) {
    cases.push_back({std::string("bev_pool/") + name, [=](Arrays& a) { return pool(a, name); }});
    cases.push_back({std::string("bev_pool_atomic/") + name,
                     [=](Arrays& a) { return formulation(a, name, Formulation::Atomic); }, RunsOn::CpuAlone});
    cases.push_back({std::string("bev_pool_cumsum/") + name,
                     [=](Arrays& a) { return formulation(a, name, Formulation::Cumsum); }, RunsOn::CpuAlone});
  }
}

}  // namespace tyto::bench
