#include "kernels/cuda/device_array.h"
#include "kernels/cuda/profile_batch.h"
#include "kernels/losses/margin_softmax_cases.h"

namespace tyto::kernels::margin {
namespace {

struct OnDevice {
  template <class T>
  Result of(const Case& c) const {
    const DeviceArray<Stored<T>> features(stored<T>(c.batch.features)), weights(stored<T>(c.weights));
    DeviceArray<Stored<T>> of_features(c.features_gradient ? features.size() : 0),
        of_weights(c.weights_gradient ? weights.size() : 0);
    const DeviceArray<int32_t> labels(c.batch.labels);
    const int64_t rows = c.batch.rows, width = c.batch.width;
    DeviceArray<char> workspace(margin_softmax_workspace<T>(rows, width, c.classes));
    DeviceArray<Computed<T>> value(1);
    DeviceArray<LossStatus> status(std::vector<LossStatus>{0});
    ClassWeights<T> of_classes{reinterpret_cast<const T*>(weights.data()), c.classes};
    LossOutput<T> output{.value = value.data(), .scale = c.scale, .status = status.data()};
    if (c.features_gradient) output.gradient = reinterpret_cast<T*>(of_features.data());
    if (c.weights_gradient) of_classes.gradient = reinterpret_cast<T*>(of_weights.data());
    margin_softmax<T>({reinterpret_cast<const T*>(features.data()), labels.data(), rows, width}, of_classes,
                      c.options, output, workspace.data(), nullptr);
    return {static_cast<double>(value.download()[0]), doubles<T>(of_features.download()),
            doubles<T>(of_weights.download()), status.download()[0]};
  }
};

TEST(MarginSoftmax, HasTheGoldenNumbers) { has_the_golden_numbers(OnDevice{}); }

// Past a tile that is turned, past eight rows of a warp, and a block's row.
TEST(MarginSoftmax, EqualsTheReference) {
  for (const MarginSoftmax& method : kMethods) {
    equals_the_reference<double>(OnDevice{}, random_case(9, 31, 33, method));
    equals_the_reference<float>(OnDevice{}, random_case(3, 33, 31, method));
  }
  equals_the_reference<Half>(OnDevice{}, random_case(3, 33, 31, kArcFace));
  equals_the_reference<BFloat16>(OnDevice{}, random_case(3, 33, 31, kArcFace));
  equals_the_reference<float>(OnDevice{}, random_case(1, 2, 1, kArcFace));
  equals_the_reference<double>(OnDevice{}, random_case(2, 2, 1025, kArcFace));
  equals_the_reference<float>(OnDevice{}, random_case(2, 2, 1025, kArcFace));
  equals_the_reference<float>(OnDevice{}, random_case(2, 1025, 2, kArcFace));
}

TEST(MarginSoftmax, GoesOnBeyondItsMargin) { goes_on_beyond_its_margin(OnDevice{}); }

TEST(MarginSoftmax, IsFiniteWhereRowsAndWeightsAreParallel) {
  is_finite_where_rows_and_weights_are_parallel(OnDevice{});
}

TEST(MarginSoftmax, ZerosHaveNoGradient) { zeros_have_no_gradient(OnDevice{}); }

TEST(MarginSoftmax, NamesItsFaults) { names_its_faults(OnDevice{}); }

TEST(MarginSoftmax, IsNotANumberWithoutRows) { is_not_a_number_without_rows(OnDevice{}); }

TEST(MarginSoftmax, GivesWhatIsWanted) { gives_what_is_wanted(OnDevice{}); }

TEST(MarginSoftmax, ScalesItsGradientsAlone) { scales_its_gradients_alone(OnDevice{}); }

TEST(Profile, MarginSoftmax) {
  equals_the_reference<float>(OnDevice{}, random_case(32 * profile_batch(), 64, 96, kArcFace));
}

}  // namespace
}  // namespace tyto::kernels::margin
