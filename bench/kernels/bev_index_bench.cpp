// The index of a rig's frustums, which is made anew when a calibration changes: of Lift-Splat-Shoot, of
// BEVFusion's detector, and of BEVPoolv2's largest input.
#include "bench/kernels/kernel_case.h"
#include "kernels/bev/bev_index.h"
#include "kernels/bev/bev_rig.h"

namespace tyto::bench {
namespace {

using namespace kernels;

Work index_of(Arrays& a, const char* name) {
  const bev_rig::BevCase bev = bev_rig::bev_case(name);
  const auto values = bev.matrices<float>();
  const int64_t cameras = values.view().cameras;
  const CameraMatrices<float> matrices = {
      a.input("intrinsics", {cameras, 3, 3}, values.intrinsics),
      a.input("camera_to_grid", {cameras, 4, 4}, values.camera_to_grid),
      a.input("image_augmentation", {cameras, 3, 3}, values.image_augmentation), 1, cameras};
  const Frustum& f = bev.frustum;
  const BevIndexing p = bev.indexing();
  const int64_t points = bev_run_capacity(f, cameras);
  // Behind the last run there is anything, so that runs are not compared.
  const MutableBevIndex index = {a.output<int32_t>("cell_starts", {bev.grid.size() + 1}),
                                 static_cast<BevRun*>(a.scratch(points * int64_t{sizeof(BevRun)})),
                                 a.output<int32_t>("cells", {cameras, f.bins, f.height, f.width})};
  const bev_rig::Counts& counts = bev_rig::kCounts[name[1] - '1'];
  Work work;
  work.bytes = static_cast<double>(4 * points + 4 * bev.grid.size() + 8 * counts.runs);
  work.operations =
      36 * static_cast<double>(points);  // a product by a matrix, and three quotients with bounds
  void* cpu_memory = a.scratch(bev_index_cpu_workspace(p, 1, cameras));
  work.cpu = [=] { build_bev_index_cpu<float>(matrices, p, nullptr, index, cpu_memory); };
  if constexpr (kHasCuda) {
    void* memory = a.scratch(bev_index_workspace(p, 1, cameras));
    work.cuda = [=](Stream s) { build_bev_index<float>(matrices, p, nullptr, index, memory, s); };
  }
  return work;
}

}  // namespace

void add_bev_index_cases(Cases& cases) {
  for (const char* name : {"B1", "B4", "B7"})
    cases.push_back({std::string("bev_index/") + name, [=](Arrays& a) { return index_of(a, name); }});
}

}  // namespace tyto::bench
