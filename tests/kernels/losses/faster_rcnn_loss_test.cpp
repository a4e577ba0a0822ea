#include "kernels/losses/faster_rcnn_loss_cases.h"

namespace tyto::kernels::faster_rcnn {
namespace {

struct OnCpu {
  template <class T>
  struct Numbers {
    std::vector<Stored<T>> locations, logits;
    std::vector<Computed<T>> targets;
    explicit Numbers(const Stage& s)
        : locations(stored<T>(s.locations)),
          logits(stored<T>(s.logits)),
          targets(stored<Computed<T>>(s.targets)) {}
    DetectionStage<T> view(const Stage& s) const {
      return {reinterpret_cast<const T*>(locations.data()),
              reinterpret_cast<const T*>(logits.data()),
              s.labels.data(),
              targets.data(),
              s.rows,
              s.classes};
    }
  };

  template <class T>
  Result of(const Case& c) const {
    using C = Computed<T>;
    const Numbers<T> anchors(c.anchors), rois(c.rois);
    std::vector<Stored<T>> gradients[4] = {anchors.locations, anchors.logits, rois.locations, rois.logits};
    std::vector<C> value(kFasterRcnnTerms);
    std::vector<uint64_t> workspace(
        static_cast<size_t>(faster_rcnn_loss_cpu_workspace<T>(c.anchors.rows, c.rois.rows) / 8));
    Result out;
    const auto at = [&](size_t k) {
      return c.gradients ? reinterpret_cast<T*>(gradients[k].data()) : nullptr;
    };
    faster_rcnn_loss_cpu<T>(anchors.view(c.anchors), rois.view(c.rois), c.loss,
                            {value.data(), at(0), at(1), at(2), at(3), c.scale, &out.status},
                            workspace.data());
    out.value = doubles<C>(value);
    for (size_t k = 0; k < 4; ++k) out.gradients[k] = doubles<T>(gradients[k]);
    return out;
  }
};

TEST(FasterRcnnLoss, EqualsTheReference) {
  const Case c = random_case(300, 140, 21);
  equals_the_reference<double>(OnCpu{}, c);
  equals_the_reference<float>(OnCpu{}, c);
  equals_the_reference<Half>(OnCpu{}, c);
  equals_the_reference<BFloat16>(OnCpu{}, c);
}

TEST(FasterRcnnLoss, HasItsValuesSlopes) { has_its_values_slopes(OnCpu{}); }

TEST(FasterRcnnLoss, IsNanWithoutSamples) { is_nan_without_samples(OnCpu{}); }

TEST(FasterRcnnLoss, DoesNotLookAtWhatDoesNotCount) { does_not_look_at_what_does_not_count(OnCpu{}); }

TEST(FasterRcnnLoss, NamesItsFaults) { names_its_faults(OnCpu{}); }

}  // namespace
}  // namespace tyto::kernels::faster_rcnn
