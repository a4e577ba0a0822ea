#include "kernels/cuda/device_array.h"
#include "kernels/cuda/profile_batch.h"
#include "kernels/losses/region_targets_cases.h"

namespace tyto::kernels::targets {
namespace {

// Objects on the device.
template <class C>
struct DeviceObjects {
  DeviceArray<C> boxes;
  DeviceArray<int32_t> classes, counts;
  int64_t batch, capacity;

  explicit DeviceObjects(const Objects<C>& o)
      : boxes(o.boxes), classes(o.classes), counts(o.counts), batch(o.batch), capacity(o.capacity) {}

  ImageObjects<C> view() const { return {boxes.data(), classes.data(), counts.data(), batch, capacity}; }
};

const auto kOnDevice = [](const auto& c) {
  using Case = std::decay_t<decltype(c)>;
  using C = typename decltype(c.objects.boxes)::value_type;
  const DeviceObjects<C> objects(c.objects);
  const DeviceArray<uint32_t> priorities(c.priorities);
  const SampleOrder order = {.priorities = priorities.data(), .seed = c.seed};
  DeviceArray<LossStatus> status(std::vector<LossStatus>{0});
  const int64_t batch = c.objects.batch;
  if constexpr (std::is_same_v<Case, AnchorCase<C>>) {
    const int64_t all = batch * c.count();
    const DeviceArray<C> anchors(c.anchors), sizes(c.sizes);
    DeviceArray<int32_t> labels(all);
    DeviceArray<C> locations(4 * all);
    DeviceArray<char> workspace(anchor_targets_workspace<C>(batch, c.objects.capacity, c.count()));
    anchor_targets<C>(anchors.data(), c.count(), objects.view(), sizes.data(), c.options, order,
                      {labels.data(), locations.data(), status.data()}, workspace.data(), nullptr);
    return AnchorResult<C>{labels.download(), locations.download(), status.download()[0]};
  } else {
    const int64_t all = batch * c.options.samples;
    const DeviceArray<C> rows(c.rows);
    const DeviceArray<int32_t> counts(c.counts);
    DeviceArray<C> rois(4 * all), locations(4 * all);
    DeviceArray<int32_t> labels(all), found(batch);
    DeviceArray<char> workspace(
        proposal_targets_workspace<C>(batch, c.capacity, c.objects.capacity, c.options.samples));
    proposal_targets<C>({rows.data(), c.stride, counts.data(), c.capacity}, objects.view(), c.options, order,
                        {rois.data(), labels.data(), locations.data(), found.data(), status.data()},
                        workspace.data(), nullptr);
    return RegionResult<C>{rois.download(), labels.download(), locations.download(), found.download(),
                           status.download()[0]};
  }
};

// Past the eight parts of a block's anchors, a tile of objects and the threads that choose.
TEST(AnchorTargets, EqualChainercv) { anchors_equal_chainercv(kOnDevice, 2060, 33); }

TEST(AnchorTargets, AnObjectWithoutAnchorsMakesAllPositive) {
  an_object_without_anchors_makes_all_positive(kOnDevice);
}

TEST(AnchorTargets, AreNegativeWithoutObjects) { anchors_without_objects_are_negative(kOnDevice); }

TEST(AnchorTargets, IgnoreAnchorsOutside) { anchors_outside_are_ignored(kOnDevice); }

TEST(AnchorTargets, FaultyObjectsSpoilTheirImage) { faulty_objects_spoil_their_image(kOnDevice); }

TEST(ProposalTargets, EqualChainercv) { regions_equal_chainercv(kOnDevice, 520, 33); }

TEST(ProposalTargets, AreNegativeWithoutObjects) { regions_without_objects_are_negative(kOnDevice); }

TEST(ProposalTargets, FaultsSpoilTheirImage) { faulty_regions_spoil_their_image(kOnDevice); }

TEST(Profile, AnchorTargets) {
  auto c = random_anchors<float>(profile_batch(), 2048, 8, 256, 1);
  c.objects.counts.clear();
  expect_reference(kOnDevice, c);
}

TEST(Profile, ProposalTargets) {
  auto c = random_regions<float>(profile_batch(), 2000, 8, 128, 1);
  c.stride = 4;
  c.rows.resize(static_cast<size_t>(4 * c.capacity * profile_batch()));
  for (size_t i = 0; i < c.rows.size(); ++i) c.rows[i] = static_cast<float>(i % 4 < 2 ? i % 61 : 61 + i % 37);
  c.counts.clear();
  c.objects.counts.clear();
  expect_reference(kOnDevice, c);
}

}  // namespace
}  // namespace tyto::kernels::targets
