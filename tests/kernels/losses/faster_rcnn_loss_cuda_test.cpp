#include "kernels/cuda/device_array.h"
#include "kernels/cuda/profile_batch.h"
#include "kernels/losses/faster_rcnn_loss_cases.h"

namespace tyto::kernels::faster_rcnn {
namespace {

struct OnDevice {
  template <class T>
  struct Numbers {
    DeviceArray<Stored<T>> locations, logits, of_locations, of_logits;
    DeviceArray<Computed<T>> targets;
    DeviceArray<int32_t> labels;
    explicit Numbers(const Stage& s)
        : locations(stored<T>(s.locations)),
          logits(stored<T>(s.logits)),
          of_locations(locations.size()),
          of_logits(logits.size()),
          targets(stored<Computed<T>>(s.targets)),
          labels(s.labels) {}
    DetectionStage<T> view(const Stage& s) const {
      return {reinterpret_cast<const T*>(locations.data()),
              reinterpret_cast<const T*>(logits.data()),
              labels.data(),
              targets.data(),
              s.rows,
              s.classes};
    }
  };

  template <class T>
  Result of(const Case& c) const {
    using C = Computed<T>;
    Numbers<T> anchors(c.anchors), rois(c.rois);
    DeviceArray<C> value(kFasterRcnnTerms);
    DeviceArray<LossStatus> status(std::vector<LossStatus>{0});
    DeviceArray<char> workspace(faster_rcnn_loss_workspace<T>(c.anchors.rows, c.rois.rows));
    const auto at = [&](DeviceArray<Stored<T>>& gradient) {
      return c.gradients ? reinterpret_cast<T*>(gradient.data()) : nullptr;
    };
    faster_rcnn_loss<T>(anchors.view(c.anchors), rois.view(c.rois), c.loss,
                        {value.data(), at(anchors.of_locations), at(anchors.of_logits), at(rois.of_locations),
                         at(rois.of_logits), c.scale, status.data()},
                        workspace.data(), nullptr);
    Result out{.value = doubles<C>(value.download()), .status = status.download()[0]};
    if (!c.gradients) return out;
    out.gradients[0] = doubles<T>(anchors.of_locations.download());
    out.gradients[1] = doubles<T>(anchors.of_logits.download());
    out.gradients[2] = doubles<T>(rois.of_locations.download());
    out.gradients[3] = doubles<T>(rois.of_logits.download());
    return out;
  }
};

// Past the rows and the threads of a block.
TEST(FasterRcnnLoss, EqualsTheReference) {
  const Case c = random_case(130, 131, 5);
  equals_the_reference<double>(OnDevice{}, c);
  equals_the_reference<float>(OnDevice{}, c);
  equals_the_reference<Half>(OnDevice{}, c);
  equals_the_reference<BFloat16>(OnDevice{}, c);
}

TEST(FasterRcnnLoss, IsNanWithoutSamples) { is_nan_without_samples(OnDevice{}); }

TEST(FasterRcnnLoss, DoesNotLookAtWhatDoesNotCount) { does_not_look_at_what_does_not_count(OnDevice{}); }

TEST(FasterRcnnLoss, NamesItsFaults) { names_its_faults(OnDevice{}); }

// A few hundred anchors of an image count, and all regions.
TEST(Profile, FasterRcnnLoss) {
  Case c = random_case(2048 * profile_batch(), 128 * profile_batch(), 21);
  for (size_t i = 0; i < c.anchors.labels.size(); ++i)
    if (i % 8 != 0) c.anchors.labels[i] = -1;
  equals_the_reference<float>(OnDevice{}, c);
}

}  // namespace
}  // namespace tyto::kernels::faster_rcnn
