#include <omp.h>

#include "kernels/losses/cross_entropy_cases.h"

namespace tyto::kernels::entropy {
namespace {

struct OnCpu {
  template <class T>
  Result of(const Case& c) const {
    auto logits = stored<T>(c.logits);
    std::vector<Stored<T>> apart(c.gradient && !c.in_place ? logits.size() : 0);
    auto& gradient = c.in_place ? logits : apart;
    std::vector<char> workspace(static_cast<size_t>(cross_entropy_cpu_workspace<T>(c.rows, c.options.parts)));
    Computed<T> value;
    Result out;
    LossOutput<T> output{.value = &value, .scale = c.scale, .status = &out.status};
    if (c.gradient) output.gradient = reinterpret_cast<T*>(gradient.data());
    cross_entropy_cpu<T>({reinterpret_cast<const T*>(logits.data()), c.labels.data(), c.rows, c.classes},
                         c.options, output, workspace.data());
    out.value = static_cast<double>(value);
    if (c.gradient) out.gradient = doubles<T>(gradient);
    return out;
  }
};

TEST(CrossEntropy, HasTorchsNumbers) { has_torchs_numbers(OnCpu{}); }

TEST(CrossEntropy, EqualsTheReference) {
  for (const int64_t classes : {1, 2, 31, 33, 751, 1025}) {
    equals_the_reference_in_all_types(OnCpu{}, random_case(9, classes, {}));
    equals_the_reference_in_all_types(OnCpu{}, random_case(9, classes, {.smoothing = 0.1}));
    equals_the_reference_in_all_types(OnCpu{}, random_case(9, classes, {.parts = 3, .ignored_label = -1}));
  }
}

TEST(CrossEntropy, OfManyRowsDependsOnNoNumberOfThreads) {
  const Case c = random_case(4096, 21, {.smoothing = 0.1, .ignored_label = -1});
  equals_the_reference<float>(OnCpu{}, c);
  const int threads = omp_get_max_threads();
  const Result many = OnCpu{}.of<float>(c);
  omp_set_num_threads(3);
  const Result three = OnCpu{}.of<float>(c);
  omp_set_num_threads(threads);
  EXPECT_EQ(three.value, many.value);
  EXPECT_EQ(three.gradient, many.gradient);
}

TEST(CrossEntropy, HasItsValuesSlopes) { has_its_values_slopes(OnCpu{}); }

TEST(CrossEntropy, IsExactForLogitsFarApart) {
  is_exact_for_logits_far_apart<double>(OnCpu{});
  is_exact_for_logits_far_apart<float>(OnCpu{});
  is_exact_for_logits_far_apart<Half>(OnCpu{});
  is_exact_for_logits_far_apart<BFloat16>(OnCpu{});
}

TEST(CrossEntropy, IgnoredRowsMayBeAnything) { ignored_rows_may_be_anything(OnCpu{}); }

TEST(CrossEntropy, IsNotANumberWhereNothingCounts) { is_not_a_number_where_nothing_counts(OnCpu{}); }

TEST(CrossEntropy, NamesItsFaults) { names_its_faults(OnCpu{}); }

TEST(CrossEntropy, GivesItsValueAlone) { gives_its_value_alone(OnCpu{}); }

TEST(CrossEntropy, RunsInPlace) { runs_in_place(OnCpu{}); }

TEST(CrossEntropy, ScalesItsGradientAlone) { scales_its_gradient_alone(OnCpu{}); }

}  // namespace
}  // namespace tyto::kernels::entropy
