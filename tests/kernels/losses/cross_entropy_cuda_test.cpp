#include "kernels/cuda/device_array.h"
#include "kernels/cuda/profile_batch.h"
#include "kernels/losses/cross_entropy_cases.h"

namespace tyto::kernels::entropy {
namespace {

struct OnDevice {
  template <class T>
  Result of(const Case& c) const {
    DeviceArray<Stored<T>> logits(stored<T>(c.logits));
    DeviceArray<Stored<T>> apart(c.gradient && !c.in_place ? logits.size() : 0);
    auto& gradient = c.in_place ? logits : apart;
    const DeviceArray<int32_t> labels(c.labels);
    DeviceArray<char> workspace(cross_entropy_workspace<T>(c.rows, c.options.parts));
    DeviceArray<Computed<T>> value(1);
    DeviceArray<LossStatus> status(std::vector<LossStatus>{0});
    LossOutput<T> output{.value = value.data(), .scale = c.scale, .status = status.data()};
    if (c.gradient) output.gradient = reinterpret_cast<T*>(gradient.data());
    cross_entropy<T>({reinterpret_cast<const T*>(logits.data()), labels.data(), c.rows, c.classes}, c.options,
                     output, workspace.data(), nullptr);
    return {static_cast<double>(value.download()[0]),
            c.gradient ? doubles<T>(gradient.download()) : std::vector<double>{}, status.download()[0]};
  }
};

TEST(CrossEntropy, HasTorchsNumbers) { has_torchs_numbers(OnDevice{}); }

// Past eight rows of a warp, past a warp's row and past a block's.
TEST(CrossEntropy, EqualsTheReference) {
  for (const int64_t classes : {1, 31, 33, 1025}) {
    const int64_t rows = classes == 1025 ? 2 : 9;
    equals_the_reference_in_all_types(OnDevice{}, random_case(rows, classes, {.smoothing = 0.1}));
    equals_the_reference<float>(OnDevice{}, random_case(rows, classes, {.parts = 3, .ignored_label = -1}));
  }
}

// More than a block counts, and more blocks than the mean takes at once.
TEST(CrossEntropy, OfManyRowsEqualsTheReference) {
  equals_the_reference<float>(OnDevice{}, random_case(520, 2, {.parts = 4, .ignored_label = -1}));
}

TEST(CrossEntropy, IsExactForLogitsFarApart) {
  is_exact_for_logits_far_apart<double>(OnDevice{});
  is_exact_for_logits_far_apart<float>(OnDevice{});
  is_exact_for_logits_far_apart<Half>(OnDevice{});
  is_exact_for_logits_far_apart<BFloat16>(OnDevice{});
}

TEST(CrossEntropy, IgnoredRowsMayBeAnything) { ignored_rows_may_be_anything(OnDevice{}); }

TEST(CrossEntropy, IsNotANumberWhereNothingCounts) { is_not_a_number_where_nothing_counts(OnDevice{}); }

TEST(CrossEntropy, NamesItsFaults) { names_its_faults(OnDevice{}); }

TEST(CrossEntropy, GivesItsValueAlone) { gives_its_value_alone(OnDevice{}); }

TEST(CrossEntropy, RunsInPlace) { runs_in_place(OnDevice{}); }

TEST(CrossEntropy, ScalesItsGradientAlone) { scales_its_gradient_alone(OnDevice{}); }

TEST(Profile, CrossEntropy) {
  equals_the_reference<float>(
      OnDevice{}, random_case(64 * profile_batch(), 192, {.smoothing = 0.1, .ignored_label = -1}));
}
TEST(Profile, CrossEntropyOfLongRows) {
  equals_the_reference<float>(OnDevice{}, random_case(4 * profile_batch(), 2048, {}));
}

}  // namespace
}  // namespace tyto::kernels::entropy
