#include "kernels/losses/region_targets_cases.h"

namespace tyto::kernels::targets {
namespace {

template <class C>
ImageObjects<C> view(const Objects<C>& o) {
  return {o.boxes.data(), o.classes.data(), o.counts.empty() ? nullptr : o.counts.data(), o.batch,
          o.capacity};
}

SampleOrder order_of(const std::vector<uint32_t>& priorities, uint64_t seed) {
  return {.priorities = priorities.empty() ? nullptr : priorities.data(), .seed = seed};
}

const auto kOnCpu = [](const auto& c) {
  using Case = std::decay_t<decltype(c)>;
  using C = typename decltype(c.objects.boxes)::value_type;
  const int64_t batch = c.objects.batch;
  if constexpr (std::is_same_v<Case, AnchorCase<C>>) {
    const auto all = static_cast<size_t>(batch * c.count());
    AnchorResult<C> out{std::vector<int32_t>(all), std::vector<C>(4 * all), 0};
    std::vector<uint64_t> workspace(
        static_cast<size_t>(anchor_targets_cpu_workspace<C>(batch, c.objects.capacity, c.count()) / 8 + 1));
    anchor_targets_cpu<C>(c.anchors.data(), c.count(), view(c.objects), c.sizes.data(), c.options,
                          order_of(c.priorities, c.seed),
                          {out.labels.data(), out.locations.data(), &out.status}, workspace.data());
    return out;
  } else {
    const auto all = static_cast<size_t>(batch * c.options.samples);
    RegionResult<C> out{std::vector<C>(4 * all), std::vector<int32_t>(all), std::vector<C>(4 * all),
                        std::vector<int32_t>(static_cast<size_t>(batch)), 0};
    std::vector<uint64_t> workspace(static_cast<size_t>(
        proposal_targets_cpu_workspace<C>(batch, c.capacity, c.objects.capacity, c.options.samples) / 8 + 1));
    proposal_targets_cpu<C>(
        {c.rows.data(), c.stride, c.counts.empty() ? nullptr : c.counts.data(), c.capacity}, view(c.objects),
        c.options, order_of(c.priorities, c.seed),
        {out.rois.data(), out.labels.data(), out.locations.data(), out.counts.data(), &out.status},
        workspace.data());
    return out;
  }
};

// Random123's known answers.
TEST(SampleOrder, IsPhilox) {
  const auto words = [](PhiloxWords counter, uint64_t seed) {
    const PhiloxWords w = philox(counter, seed);
    return std::vector<uint32_t>(w.words, w.words + 4);
  };
  EXPECT_EQ(words({{0, 0, 0, 0}}, 0),
            (std::vector<uint32_t>{0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u}));
  EXPECT_EQ(words({{~0u, ~0u, ~0u, ~0u}}, ~uint64_t{0}),
            (std::vector<uint32_t>{0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu}));
  EXPECT_EQ(words({{0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u}}, 0x299f31d0a4093822u),
            (std::vector<uint32_t>{0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u}));
}

TEST(SampleOrder, GivesEveryCandidateAWordOfItsOwn) {
  const SampleOrder order{.seed = 5};
  std::vector<uint32_t> seen;
  for (const auto purpose : {SamplePurpose::Anchors, SamplePurpose::Regions})
    for (int64_t image = 0; image < 3; ++image)
      for (int64_t i = 0; i < 9; ++i) seen.push_back(priority_of(order, purpose, image, 9, i));
  std::sort(seen.begin(), seen.end());
  EXPECT_EQ(std::unique(seen.begin(), seen.end()), seen.end());
}

TEST(AnchorTargets, EqualChainercv) { anchors_equal_chainercv(kOnCpu, 1100, 9); }

TEST(AnchorTargets, AnObjectWithoutAnchorsMakesAllPositive) {
  an_object_without_anchors_makes_all_positive(kOnCpu);
}

TEST(AnchorTargets, AreNegativeWithoutObjects) { anchors_without_objects_are_negative(kOnCpu); }

TEST(AnchorTargets, IgnoreAnchorsOutside) { anchors_outside_are_ignored(kOnCpu); }

TEST(AnchorTargets, FaultyObjectsSpoilTheirImage) { faulty_objects_spoil_their_image(kOnCpu); }

TEST(ProposalTargets, EqualChainercv) { regions_equal_chainercv(kOnCpu, 1100, 9); }

TEST(ProposalTargets, AreNegativeWithoutObjects) { regions_without_objects_are_negative(kOnCpu); }

TEST(ProposalTargets, FaultsSpoilTheirImage) { faulty_regions_spoil_their_image(kOnCpu); }

}  // namespace
}  // namespace tyto::kernels::targets
