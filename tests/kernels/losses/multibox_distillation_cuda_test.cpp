#include "kernels/cuda/device_array.h"
#include "kernels/cuda/profile_batch.h"
#include "kernels/losses/multibox_distillation_cases.h"

namespace tyto::kernels::distillation {
namespace {

struct OnDevice {
  template <class T>
  Result of(const Case& c) const {
    using C = Computed<T>;
    const DeviceArray<Stored<T>> locations(stored<T>(c.locations)), logits(stored<T>(c.logits));
    const DeviceArray<Stored<T>> teacher_locations(stored<T>(c.teacher_locations)),
        teacher_logits(stored<T>(c.teacher_logits));
    const DeviceArray<C> targets(stored<C>(c.targets));
    const DeviceArray<int32_t> labels(c.labels), positives(c.positives());
    const DeviceArray<uint8_t> selected(c.selected);
    const DeviceArray<LossStatus> matching(std::vector<LossStatus>{c.selection_status});
    const auto data = [](const auto& v) { return reinterpret_cast<const T*>(v.data()); };
    DeviceArray<C> value(kDistillationTerms);
    DeviceArray<Stored<T>> of_locations(c.gradients ? locations.size() : 0),
        of_logits(c.gradients ? logits.size() : 0);
    DeviceArray<char> workspace(multibox_distillation_workspace<T>(c.batch, c.priors));
    DeviceArray<LossStatus> status(std::vector<LossStatus>{0});
    MultiboxDistillationOutput<T> output{.value = value.data(), .scale = c.scale, .status = status.data()};
    if (c.gradients) {
      output.locations_gradient = reinterpret_cast<T*>(of_locations.data());
      output.logits_gradient = reinterpret_cast<T*>(of_logits.data());
    }
    multibox_distillation<T>({labels.data(), targets.data(), selected.data(), positives.data(),
                              matching.data(), nullptr, c.batch, c.priors, c.classes},
                             {data(locations), data(logits)}, {data(teacher_locations), data(teacher_logits)},
                             c.options, output, workspace.data(), nullptr);
    return {doubles<C>(value.download()), doubles<T>(of_locations.download()),
            doubles<T>(of_logits.download()), status.download()[0]};
  }

  template <class T>
  Result in_one_call(const MultiboxCase& m, const Case& c) const {
    const DeviceArray<double> locations(m.locations), logits(m.logits), boxes(m.boxes), priors(m.prior_boxes),
        teacher_locations(c.teacher_locations), teacher_logits(c.teacher_logits);
    const DeviceArray<int32_t> classes(m.object_classes), counts(m.counts);
    DeviceArray<double> value(kDistillationTerms), of_locations(locations.size()), of_logits(logits.size());
    DeviceArray<LossStatus> status(std::vector<LossStatus>{0});
    DeviceArray<char> workspace(multibox_distillation_loss_workspace<T>(m.batch, m.capacity, m.priors));
    multibox_distillation_loss<T>(
        {locations.data(),
         logits.data(),
         m.classes,
         {boxes.data(), classes.data(), counts.data(), m.batch, m.capacity},
         {priors.data(), m.priors, m.corners}},
        {teacher_locations.data(), teacher_logits.data()}, {.distillation = c.options},
        {value.data(), of_locations.data(), of_logits.data(), c.scale, status.data()}, workspace.data(),
        nullptr);
    return {value.download(), of_locations.download(), of_logits.download(), status.download()[0]};
  }
};

TEST(MultiboxDistillation, HasTheArticlesNumbers) { has_the_articles_numbers(OnDevice{}); }

TEST(MultiboxDistillation, EqualsTheReference) {
  const Case c = random_case(2, 67, 33, 1);  // past a block of rows and a warp of classes
  equals_the_reference<double>(OnDevice{}, c);
  equals_the_reference<float>(OnDevice{}, c);
  equals_the_reference<Half>(OnDevice{}, c);
  equals_the_reference<BFloat16>(OnDevice{}, c);
}

TEST(MultiboxDistillation, InOneCallEqualsTheReference) { in_one_call_equals_the_reference(OnDevice{}); }

TEST(MultiboxDistillation, IsFiniteWithoutPositives) { is_finite_without_positives(OnDevice{}); }

TEST(MultiboxDistillation, DoesNotLookAtWhatIsNotSelected) {
  does_not_look_at_what_is_not_selected(OnDevice{});
}

TEST(MultiboxDistillation, NamesItsFaults) { names_its_faults(OnDevice{}); }

TEST(MultiboxDistillation, BearsAnInfiniteTarget) { bears_an_infinite_target(OnDevice{}); }

TEST(MultiboxDistillation, ScalesItsGradients) { scales_its_gradients(OnDevice{}); }

// An image of SSD300 has a tenth of its priors selected at most.
TEST(Profile, MultiboxDistillation) {
  Case c = random_case(profile_batch(), 1024, 21, 1);
  for (size_t i = 0; i < c.labels.size(); ++i)
    if (i % 3 != 0) c.labels[i] = c.selected[i] = 0;
  equals_the_reference<float>(OnDevice{}, c);
}

}  // namespace
}  // namespace tyto::kernels::distillation
