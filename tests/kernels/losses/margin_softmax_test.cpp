#include <omp.h>

#include "kernels/losses/margin_softmax_cases.h"

namespace tyto::kernels::margin {
namespace {

struct OnCpu {
  template <class T>
  Result of(const Case& c) const {
    const auto features = stored<T>(c.batch.features), weights = stored<T>(c.weights);
    std::vector<Stored<T>> of_features(c.features_gradient ? features.size() : 0),
        of_weights(c.weights_gradient ? weights.size() : 0);
    const int64_t rows = c.batch.rows, width = c.batch.width;
    std::vector<char> workspace(static_cast<size_t>(margin_softmax_cpu_workspace<T>(rows, width, c.classes)));
    Computed<T> value;
    Result out;
    ClassWeights<T> of_classes{reinterpret_cast<const T*>(weights.data()), c.classes};
    LossOutput<T> output{.value = &value, .scale = c.scale, .status = &out.status};
    if (c.features_gradient) output.gradient = reinterpret_cast<T*>(of_features.data());
    if (c.weights_gradient) of_classes.gradient = reinterpret_cast<T*>(of_weights.data());
    margin_softmax_cpu<T>({reinterpret_cast<const T*>(features.data()), c.batch.labels.data(), rows, width},
                          of_classes, c.options, output, workspace.data());
    out.value = static_cast<double>(value);
    out.features = doubles<T>(of_features);
    out.weights = doubles<T>(of_weights);
    return out;
  }
};

TEST(MarginSoftmax, HasTheGoldenNumbers) { has_the_golden_numbers(OnCpu{}); }

TEST(MarginSoftmax, EqualsTheReference) {
  const int64_t shapes[][3] = {{1, 2, 1}, {5, 31, 33}, {9, 33, 31}, {3, 5, 1025}, {2, 1025, 3}};
  for (const auto& [rows, width, classes] : shapes)
    equals_the_reference_in_all_types(OnCpu{}, rows, width, classes);
}

TEST(MarginSoftmax, OfManyRowsDependsOnNoNumberOfThreads) {
  const Case c = random_case(4096, 8, 40, kArcFace);
  equals_the_reference<float>(OnCpu{}, c);
  const int threads = omp_get_max_threads();
  const Result many = OnCpu{}.of<float>(c);
  omp_set_num_threads(3);
  const Result three = OnCpu{}.of<float>(c);
  omp_set_num_threads(threads);
  EXPECT_EQ(three.value, many.value);
  EXPECT_EQ(three.features, many.features);
  EXPECT_EQ(three.weights, many.weights);
}

TEST(MarginSoftmax, HasItsValuesSlopes) { has_its_values_slopes(OnCpu{}); }

TEST(MarginSoftmax, GoesOnBeyondItsMargin) { goes_on_beyond_its_margin(OnCpu{}); }

TEST(MarginSoftmax, IsFiniteWhereRowsAndWeightsAreParallel) {
  is_finite_where_rows_and_weights_are_parallel(OnCpu{});
}

TEST(MarginSoftmax, ZerosHaveNoGradient) { zeros_have_no_gradient(OnCpu{}); }

TEST(MarginSoftmax, NamesItsFaults) { names_its_faults(OnCpu{}); }

TEST(MarginSoftmax, IsNotANumberWithoutRows) { is_not_a_number_without_rows(OnCpu{}); }

TEST(MarginSoftmax, GivesWhatIsWanted) { gives_what_is_wanted(OnCpu{}); }

TEST(MarginSoftmax, ScalesItsGradientsAlone) { scales_its_gradients_alone(OnCpu{}); }

}  // namespace
}  // namespace tyto::kernels::margin
