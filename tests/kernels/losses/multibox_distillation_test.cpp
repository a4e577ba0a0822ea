#include <omp.h>

#include "kernels/losses/multibox_distillation_cases.h"

namespace tyto::kernels::distillation {
namespace {

struct OnCpu {
  template <class T>
  Result of(const Case& c) const {
    using C = Computed<T>;
    const auto locations = stored<T>(c.locations), logits = stored<T>(c.logits);
    const auto teacher_locations = stored<T>(c.teacher_locations),
               teacher_logits = stored<T>(c.teacher_logits);
    const auto targets = stored<C>(c.targets);
    const auto positives = c.positives();
    const auto data = [](const auto& v) { return reinterpret_cast<const T*>(v.data()); };
    std::vector<C> value(kDistillationTerms);
    std::vector<Stored<T>> of_locations(c.gradients ? locations.size() : 0),
        of_logits(c.gradients ? logits.size() : 0);
    std::vector<char> workspace(
        static_cast<size_t>(multibox_distillation_cpu_workspace<T>(c.batch, c.priors) + 256));
    Result out;
    MultiboxDistillationOutput<T> output{.value = value.data(), .scale = c.scale, .status = &out.status};
    if (c.gradients) {
      output.locations_gradient = reinterpret_cast<T*>(of_locations.data());
      output.logits_gradient = reinterpret_cast<T*>(of_logits.data());
    }
    multibox_distillation_cpu<T>({c.labels.data(), targets.data(), c.selected.data(), positives.data(),
                                  &c.selection_status, nullptr, c.batch, c.priors, c.classes},
                                 {data(locations), data(logits)},
                                 {data(teacher_locations), data(teacher_logits)}, c.options, output,
                                 workspace.data());
    out.value = doubles<C>(value);
    out.locations = doubles<T>(of_locations);
    out.logits = doubles<T>(of_logits);
    return out;
  }

  template <class T>
  Result in_one_call(const MultiboxCase& m, const Case& c) const {
    Result out{
        .value = std::vector<double>(kDistillationTerms), .locations = m.locations, .logits = m.logits};
    std::vector<uint64_t> workspace(
        static_cast<size_t>(multibox_distillation_loss_cpu_workspace<T>(m.batch, m.capacity, m.priors) / 8));
    multibox_distillation_loss_cpu<T>(
        {m.locations.data(),
         m.logits.data(),
         m.classes,
         {m.boxes.data(), m.object_classes.data(), m.counts.data(), m.batch, m.capacity},
         {m.prior_boxes.data(), m.priors, m.corners}},
        {c.teacher_locations.data(), c.teacher_logits.data()}, {.distillation = c.options},
        {out.value.data(), out.locations.data(), out.logits.data(), c.scale, &out.status}, workspace.data());
    return out;
  }
};

TEST(MultiboxDistillation, HasTheArticlesNumbers) { has_the_articles_numbers(OnCpu{}); }

TEST(MultiboxDistillation, EqualsTheReference) {
  for (const int64_t classes : {2, 16, 21, 81}) {
    const Case c = random_case(3, 67, classes, 1);
    equals_the_reference<double>(OnCpu{}, c);
    equals_the_reference<float>(OnCpu{}, c);
    equals_the_reference<Half>(OnCpu{}, c);
    equals_the_reference<BFloat16>(OnCpu{}, c);
  }
}

TEST(MultiboxDistillation, InOneCallEqualsTheReference) { in_one_call_equals_the_reference(OnCpu{}); }

TEST(MultiboxDistillation, HasItsValuesSlopes) { has_its_values_slopes(OnCpu{}); }

TEST(MultiboxDistillation, IsFiniteWithoutPositives) { is_finite_without_positives(OnCpu{}); }

TEST(MultiboxDistillation, DoesNotLookAtWhatIsNotSelected) { does_not_look_at_what_is_not_selected(OnCpu{}); }

TEST(MultiboxDistillation, NamesItsFaults) { names_its_faults(OnCpu{}); }

TEST(MultiboxDistillation, BearsAnInfiniteTarget) { bears_an_infinite_target(OnCpu{}); }

TEST(MultiboxDistillation, ScalesItsGradients) { scales_its_gradients(OnCpu{}); }

TEST(MultiboxDistillation, HasTheSameBitsForAnyNumberOfThreads) {
  const Case c = random_case(2, 200, 7, 9);
  const int threads = omp_get_max_threads();
  omp_set_num_threads(1);
  const Result one = OnCpu{}.of<float>(c);
  omp_set_num_threads(3);
  const Result three = OnCpu{}.of<float>(c);
  omp_set_num_threads(threads);
  EXPECT_EQ(one.value, three.value);
  EXPECT_EQ(one.logits, three.logits);
}

}  // namespace
}  // namespace tyto::kernels::distillation
